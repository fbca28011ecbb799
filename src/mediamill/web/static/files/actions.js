// What is done with chosen files: deleted, brought back, tagged, put into projects, given to a job.
import { call } from "../api.js";
import { asked } from "../asking.js";
import { every } from "../dataset.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";

const MANY = 500; // files of one request
const IN_ADDRESS = 50; // files that the address of a new job names; more travel in the browser
const UNDOABLE = 1_000; // files whose tags are looked at first, so that they can be given back

async function* portions(ids) {
  for (let n = 0; n < ids.length; n += MANY) yield ids.slice(n, n + MANY);
}

// Do something to many; returns the ids of those that it was done to. What was refused is told once.
async function each(path, ids, more = {}) {
  const done = [];
  const refused = [];
  for await (const files of portions(ids)) {
    const { data } = await call("POST", path, { files, ...more });
    for (const one of data) (one.ok ? done : refused).push(one);
  }
  if (refused.length) toast(t("files.refused", { count: refused.length, why: refused[0].error }), { error: true });
  return done.map((one) => one.file);
}

const fail = (problem) => toast(problem.message, { error: true });

const DELETE = "/v1/files/delete";
const RESTORE = "/v1/files/restore";

// Files are gone from the page at once; Undo waits until they are gone at the server, too.
async function moved(ids, there, again, text, { hide, back }) {
  const moving = each(there, ids);
  hide(ids);
  toast(text, {
    undo: async () => {
      await each(again, await moving);
      await back();
    },
  });
  await moving.then(async (done) => {
    if (done.length < ids.length) await back();
  }).catch(async (problem) => {
    fail(problem);
    await back();
  });
}

export const remove = (ids, page) => moved(ids, DELETE, RESTORE, t("files.deleted", { count: ids.length }), page);
export const restore = (ids, page) => moved(ids, RESTORE, DELETE, t("trash.restored", { count: ids.length }), page);

export async function destroy(ids, { hide, back }) {
  if (!await asked(t("trash.destroy_title", { count: ids.length }), t("trash.destroy_text"), t("words.delete_for_good"))) return;
  hide(ids);
  try {
    const done = await each(DELETE, ids, { now: true });
    toast(t("trash.destroyed", { count: done.length }));
    if (done.length < ids.length) await back();
  } catch (problem) {
    fail(problem);
    await back();
  }
}

// To the form of a job, which finds them by the address or in the browser.
export function newJob(ids) {
  if (ids.length <= IN_ADDRESS) location.assign(`/jobs/new?files=${ids.join(",")}`);
  else {
    sessionStorage.setItem("mediamill.selection", JSON.stringify(ids));
    location.assign("/jobs/new?selection=1");
  }
}

// Undo takes tags only from those that did not have them.
export async function tag(ids, tags, known, changed) {
  const before = ids.length <= UNDOABLE ? await known(ids) : null;
  const done = await each("/v1/files/tags", ids, { add: tags });
  await changed(done);
  const had = new Map((before || []).map((file) => [file.id, new Set(file.tags)]));
  const undo = async () => {
    for (const one of tags) {
      const fresh = done.filter((id) => had.has(id) && !had.get(id).has(one));
      if (fresh.length) await each("/v1/files/tags", fresh, { remove: [one] });
    }
    await changed(done);
  };
  toast(t("files.tags_added", { count: done.length }), before ? { undo } : {});
}

export async function projects() {
  const [own, shared] = await Promise.all([every("/v1/projects", 500), every("/v1/projects?state=shared", 200)]);
  return [...own, ...shared.filter((one) => one.role !== "viewer")];
}

// Undo is there if none of them was in it before. `changed` is called when they are in it, and out of it again.
export async function join(ids, project, name, changed) {
  let added = 0;
  for await (const files of portions(ids)) added += (await call("POST", `/v1/projects/${project}/files`, { files })).added;
  const undo = async () => {
    for await (const files of portions(ids)) await call("DELETE", `/v1/projects/${project}/files`, { files });
    await changed();
  };
  await changed();
  toast(t("files.joined", { count: added, project: name }), added && added === ids.length ? { undo } : {});
}
