// A small file in one request. Sent again after its answer was lost it is the same file: by its SHA-256, which also
// finds what is here already, and where the page may compute none by a key, which costs the server two more writes.
import { sent } from "./sent.js";

export async function whole(entry, { signal, progress }) {
  const { file, once, project, tags } = entry;
  entry.begun ||= performance.now();
  const digest = await sha256(file);
  const asked = new URLSearchParams({
    name: file.name, ...(project && { project }), ...(tags.length && { tags: tags.join(",") }), ...(digest && { if_absent: "true" }),
  });
  const headers = { "Content-Type": "application/octet-stream", ...(digest ? { "X-Content-SHA256": digest } : { "Idempotency-Key": once }) };
  const answer = await sent("POST", `/v1/files?${asked}`, { headers, body: file, signal, progress });
  const told = JSON.parse(answer.responseText);
  const age = Date.parse(answer.getResponseHeader("Date")) - Date.parse(told.created_at);
  const mine = age < performance.now() - entry.begun + 2000; // what it finds it has sent itself: browsers repeat requests, too
  return { file: { ...told, duplicate: told.duplicate && !mine } };
}

// Browsers compute digests on pages that came by HTTPS, or from this machine; elsewhere it is null.
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
