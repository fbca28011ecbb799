// What somebody can do about an item that failed, by the code of its error.
import { t } from "../texts.js";

const HINTS = {
  unsupported_media: () => t("hints.unsupported_media"),
  broken_media: () => t("hints.broken_media"),
  limit_exceeded: () => t("hints.limit_exceeded"),
  invalid_input: () => t("hints.invalid_input"),
  fetch_failed: () => t("hints.fetch_failed"),
  address_refused: () => t("hints.address_refused"),
  not_found: () => t("hints.not_found"),
  gone: () => t("hints.gone"),
  question_refused: () => t("hints.question_refused"),
  budget_exceeded: () => t("hints.budget_exceeded"),
  provider_refused: () => t("hints.provider_refused"),
  provider_unavailable: () => t("hints.provider_unavailable"),
  provider_busy: () => t("hints.provider_unavailable"),
  invalid_answer: () => t("hints.invalid_answer"),
  storage_full: () => t("hints.storage_full"),
  quota_exceeded: () => t("hints.storage_full"),
  out_of_memory: () => t("hints.out_of_memory"),
  timed_out: () => t("hints.timed_out"),
};

export const hint = ({ code, retryable }) => (HINTS[code] || (retryable ? () => t("hints.retryable") : () => t("hints.other")))();
