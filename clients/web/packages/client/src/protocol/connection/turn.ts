import type { ClientFrame } from "../frames.ts";
import type { Effect, Now, Room, State, ViewEvent } from "./state.ts";

/** One step in the making: the state so far and the effects so far. */
export class Turn {
  state: State;
  readonly at: number;
  readonly random: number;
  private readonly before: State;
  private readonly effects: Effect[] = [];

  constructor(state: State, now: Now) {
    this.state = state;
    this.before = state;
    this.at = now.at_ms;
    this.random = now.random;
  }

  update(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
  }

  room(name: string): Room | undefined {
    return this.state.rooms.get(name);
  }

  /** Changes a room that is there. */
  updateRoom(name: string, change: Partial<Room>): void {
    const room = this.room(name);
    if (room === undefined) return;
    this.update({ rooms: new Map(this.state.rooms).set(name, { ...room, ...change }) });
  }

  /** A `ref` that no frame had before. */
  ref(): string {
    this.update({ nextRef: this.state.nextRef + 1 });
    return `r${this.state.nextRef - 1}`;
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  transmit(frame: ClientFrame): void {
    this.emit({ type: "transmit", frame });
  }

  deliver(event: ViewEvent): void {
    this.emit({ type: "deliver", event });
  }

  end(wakeAt: number | null): [State, readonly Effect[]] {
    this.update({ outbox: this.state.outbox.pruned(this.at), wakeAt });
    const { commands } = this.state.outbox;
    const effects: Effect[] = [...this.effects];
    if (commands !== this.before.outbox.commands) {
      effects.unshift({ type: "persist_outbox", commands });
    }
    if (wakeAt !== this.before.wakeAt) effects.push({ type: "wake_at", at_ms: wakeAt });
    return [this.state, effects];
  }
}
