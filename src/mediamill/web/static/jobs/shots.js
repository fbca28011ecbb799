// The first picture that a job made, for its row; asked for when the row comes into sight, one at a time.
import { call } from "../api.js";
import { made } from "../dataset.js";
import { isArchive, isPicture, shownAt } from "./sources.js";

const LOOKED_AT = 5; // results: what failed made no picture
const PICTURE = /\.(jpe?g|png|webp|gif|avif)$/i;
const found = new Map(); // by job and generation, so that a row drawn anew asks nothing
let queue = Promise.resolve();

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    queue = queue.then(() => draw(target)).catch(() => {});
  }
}, { rootMargin: "200px" });

// Have a picture come into a row whose job has made any.
export function shot(element) {
  const { job, parts } = element;
  if (parts.shot.classList.contains("blank") || parts.shot.firstChild) return;
  seen.observe(element);
  element.shotOf = `${job.id} ${job.generation}`;
}

async function draw(element) {
  if (!element.isConnected) return;
  const key = element.shotOf;
  if (!found.has(key)) found.set(key, await first(element.job.id));
  const url = found.get(key);
  if (url) element.parts.shot.replaceChildren(made("img", { src: url, alt: "", decoding: "async" }));
}

async function first(job) {
  const { data } = await call("GET", `/v1/jobs/${job}/results?limit=${LOOKED_AT}`);
  const files = data.flatMap((one) => one.files);
  const picture = files.find(isPicture);
  if (picture) return shownAt(picture.url);
  const archive = files.find(isArchive);
  if (!archive) return "";
  const members = await call("GET", `/v1/files/${archive.id}/members?limit=1`);
  return members.data.find((member) => PICTURE.test(member.path))?.url || "";
}
