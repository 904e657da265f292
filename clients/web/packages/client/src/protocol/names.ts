const USER = /^[A-Za-z0-9._@|:+-]{1,64}$/;
const ROOM = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Whether a user may be called so where names may be chosen. */
export function isUserName(name: string): boolean {
  return USER.test(name);
}

/** Whether a room may be called so: without the `#` that people see. */
export function isRoomName(name: string): boolean {
  return ROOM.test(name);
}
