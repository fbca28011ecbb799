// What is done with chosen files: deleted, brought back, tagged, put into projects, given to a job.
import { Problem, call } from "../api.js";
import { asked } from "../asking.js";
import { every } from "../dataset.js";
import { t } from "../texts.js";
import { did, toast } from "../toast.js";

const MANY = 500; // files of one request
const IN_ADDRESS = 50; // files that the address of a new job names; more travel in the browser

const DELETE = "/v1/files/delete";
const RESTORE = "/v1/files/restore";
const TAGS = "/v1/files/tags";

const fail = (problem) => toast(problem.message, { error: true });

// Ask for some at a time, until a request fails: what came of them, those that were not reached, and the problem.
async function through(ids, ask) {
  const done = [];
  for (let n = 0; n < ids.length; n += MANY) {
    try {
      done.push(...await ask(ids.slice(n, n + MANY)));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return { done, rest: ids.slice(n), problem };
    }
  }
  return { done, rest: [], problem: null };
}

// The same with the outcomes of those that it was done to. What was refused is told once.
async function each(path, ids, more = {}) {
  const found = await through(ids, async (files) => (await call("POST", path, { files, ...more })).data);
  const refused = found.done.filter((one) => !one.ok);
  if (refused.length) toast(t("files.refused", { count: refused.length, why: refused[0].error }), { error: true });
  return { ...found, done: found.done.filter((one) => one.ok) };
}

// Files are gone from the page at once; Undo waits until they are gone at the server, too, and takes
// back as many as went.
async function moved(ids, there, again, words, { hide, back }) {
  const moving = each(there, ids);
  let left = null;
  hide(ids, moving);
  const correct = did(words, ids.length, async () => {
    left ??= (await moving).done.map((one) => one.file);
    const { rest, problem } = await each(again, left);
    left = rest;
    await back();
    if (problem) throw problem;
  });
  const { done, problem } = await moving;
  if (problem) fail(problem);
  correct(done.length);
  if (done.length < ids.length) await back();
}

const trashed = (count) => t("files.deleted", { count });
const restored = (count) => t("trash.restored", { count });

export const remove = (ids, page) => moved(ids, DELETE, RESTORE, trashed, page);
export const restore = (ids, page) => moved(ids, RESTORE, DELETE, restored, page);

export async function destroy(ids, { hide, back }) {
  if (!await asked(t("trash.destroy_title", { count: ids.length }), t("trash.destroy_text"), t("words.delete_for_good"))) return;
  const moving = each(DELETE, ids, { now: true });
  hide(ids, moving);
  const { done, problem } = await moving;
  if (problem) fail(problem);
  if (done.length) toast(t("trash.destroyed", { count: done.length }));
  if (done.length < ids.length) await back();
}

// To the form of a job, which finds them by the address or in the browser.
export function newJob(ids) {
  if (ids.length <= IN_ADDRESS) location.assign(`/jobs/new?files=${ids.join(",")}`);
  else {
    sessionStorage.setItem("mediamill.selection", JSON.stringify(ids));
    location.assign("/jobs/new?selection=1");
  }
}

// Undo takes from each the tags that it did not have.
export async function tag(ids, tags, changed) {
  const { done, problem } = await each(TAGS, ids, { add: tags });
  if (!ended(done, problem)) return;
  const all = done.map((one) => one.file);
  const fresh = new Map(); // files by what was added to them
  for (const { file, added } of done) {
    const names = JSON.stringify(added);
    if (added.length) fresh.set(names, fresh.get(names) || []).get(names).push(file);
  }
  await changed(all);
  const undo = async () => {
    for (const [names, files] of fresh) await whole(each(TAGS, files, { remove: JSON.parse(names) }));
    await changed(all);
  };
  toast(t("files.tags_added", { count: done.length }), fresh.size ? { undo } : {});
}

// Whether something was done, though perhaps not all; raises the problem if nothing was.
function ended(done, problem) {
  if (problem && !done.length) throw problem;
  if (problem) fail(problem);
  return done.length > 0;
}

async function whole(asking) {
  const { problem } = await asking;
  if (problem) throw problem;
}

export async function projects() {
  const [own, shared] = await Promise.all([every("/v1/projects", 500), every("/v1/projects?state=shared", 200)]);
  return [...own, ...shared.filter((one) => one.role !== "viewer")];
}

// Undo is there if none of them was in it before. `changed` is called when they are in it, and out of it again.
export async function join(ids, project, name, changed) {
  const path = `/v1/projects/${project}/files`;
  let added = 0;
  const { done, problem } = await through(ids, async (files) => {
    added += (await call("POST", path, { files })).added;
    return files;
  });
  if (!ended(done, problem)) return;
  const undo = async () => {
    await whole(through(done, async (files) => [await call("DELETE", path, { files })]));
    await changed();
  };
  await changed();
  toast(t("files.joined", { count: added, project: name }), added && added === done.length ? { undo } : {});
}
