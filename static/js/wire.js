// @ts-check
/**
 * The frames of the native wire, as types; specified in docs/reference/native-wire.md.
 *
 * @typedef {{id: string, name: string}} Person
 * @typedef {{event: string, data: any, position?: string, from?: Person, time: number,
 *   key?: string}} Publication  what a reply carries; without `position`: a signal
 * @typedef {Publication & {type: "event", channel: string}} EventFrame
 * @typedef {{type: "join" | "leave", channel: string, user: Person,
 *   count: number}} PresenceFrame
 * @typedef {{type: "gap", channel: string, skipped: number, merged: number}} GapFrame
 * @typedef {{type: "reset", channel: string, position: string}} ResetFrame
 * @typedef {{type: "error", id?: number, code: number, message: string,
 *   temporary: boolean, channel?: string, key?: string}} ErrorFrame
 * @typedef {EventFrame | PresenceFrame | GapFrame | ResetFrame
 *   | ErrorFrame} ChannelFrame
 * @typedef {{type: "status", live: boolean}} StatusFrame
 *
 * @typedef {{type: "reply", id?: number, channel: string, position: string,
 *   durable: boolean, key?: string, recovered?: boolean, publications: Publication[],
 *   signals?: Publication[], state?: any, count?: number,
 *   presence?: Array<Person & {sessions: number}>}} Reply
 *   each command's reply has some of these; the command's own page says which
 * @typedef {{type: string, channel?: string, event?: string, data?: any, key?: string,
 *   since?: string, presence?: boolean, before?: string, after?: string,
 *   limit?: number}} Command
 */

export {};
