/**
 * Holds the frames as this client writes them down to those generated from the schema: compiles
 * only while every frame of the server is one that the client reads, and every frame of the client
 * one that the server takes. Nothing imports it.
 */

import type { ClientFrame, ServerFrame } from "./frames.ts";
import type * as wire from "./generated/frames.ts";

export const received = (frame: wire.ServerFrame): ServerFrame => frame;
export const sent = (frame: ClientFrame): wire.ClientFrame => frame;
