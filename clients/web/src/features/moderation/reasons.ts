import type { ReportReason } from "@clustertalk/client";

/** What may be wrong with a message, in words. */
export const REASONS: Readonly<Record<ReportReason, string>> = {
  spam: "spam",
  harassment: "harassment",
  hate: "hate",
  sexual: "sexual content",
  violence: "violence",
  self_harm: "self-harm",
  illegal: "something illegal",
  other: "something else",
};
