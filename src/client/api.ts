// What a client has in common wherever it runs: the services and messages, following, transcripts, reasons. Nothing of it is
// Node's, so `parley/api` also serves a page in a browser, with a transport of its own.
export { DomainError } from "../errors.ts";
export { type FollowItem, type FollowOptions, type FollowState, followSession } from "./follow-session.ts";
export { loadPicture, type Picture } from "./picture.ts";
export { isTransient, type Reason, reasonOf } from "./reason.ts";
export { applyEvent, createTranscript, type Transcript, type TranscriptMessage } from "./transcript.ts";
export * from "../../gen/ts/parley/v1/access_pb.ts";
export * from "../../gen/ts/parley/v1/agent_pb.ts";
export * from "../../gen/ts/parley/v1/agent_service_pb.ts";
export * from "../../gen/ts/parley/v1/engine_service_pb.ts";
export * from "../../gen/ts/parley/v1/event_pb.ts";
export * from "../../gen/ts/parley/v1/message_pb.ts";
export * from "../../gen/ts/parley/v1/message_service_pb.ts";
export * from "../../gen/ts/parley/v1/permission_pb.ts";
export * from "../../gen/ts/parley/v1/permission_service_pb.ts";
export * from "../../gen/ts/parley/v1/profile_pb.ts";
export * from "../../gen/ts/parley/v1/queue_pb.ts";
export * from "../../gen/ts/parley/v1/profile_service_pb.ts";
export * from "../../gen/ts/parley/v1/request_pb.ts";
export * from "../../gen/ts/parley/v1/request_service_pb.ts";
export * from "../../gen/ts/parley/v1/session_pb.ts";
export * from "../../gen/ts/parley/v1/session_service_pb.ts";
export * from "../../gen/ts/parley/v1/todo_pb.ts";
export * from "../../gen/ts/parley/v1/turn_pb.ts";
export * from "../../gen/ts/parley/v1/usage_pb.ts";
