// A small file in one request. Sent again after its answer was lost it is the same file: by its key, and by its
// SHA-256 where the page may compute one, which also finds what is here already.
import { sent } from "./sent.js";

export async function whole({ file, once, project, tags }, { signal, progress }) {
  const digest = await sha256(file);
  const asked = new URLSearchParams({
    name: file.name, ...(project && { project }), ...(tags.length && { tags: tags.join(",") }), ...(digest && { if_absent: "true" }),
  });
  const headers = { "Content-Type": "application/octet-stream", "Idempotency-Key": once, ...(digest && { "X-Content-SHA256": digest }) };
  const answer = await sent("POST", `/v1/files?${asked}`, { headers, body: file, signal, progress });
  return { file: JSON.parse(answer.responseText) };
}

// Browsers compute digests on pages that came by HTTPS, or from this machine; elsewhere it is null.
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
