// Picked pictures become files of a project: members of archives by its import, results as they are.
import { call } from "../api.js";
import { ended } from "../dataset.js";
import { join } from "../files/actions.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";

const AT_ONCE = 500; // names that one import takes

// Put what is picked on sheets into a project; `items` gives what is picked on one.
export async function put(sheets, items, { id, name }) {
  const loose = [];
  let taken = 0;
  for (const sheet of sheets) {
    const { file } = sheet.source;
    const picked = await items(sheet);
    if (!file) loose.push(...picked.map((item) => item.file));
    else for (let at = 0; at < picked.length; at += AT_ONCE) taken += await members(id, file, picked.slice(at, at + AT_ONCE));
  }
  if (taken) toast(t("job.put", { count: taken, project: name }));
  if (loose.length) await join(loose, id, name, async () => {});
}

async function members(project, file, some) {
  const body = { file, members: some.map((item) => item.path), folders: "none" };
  const { outcome } = await ended(project, await call("POST", `/v1/projects/${project}/import`, body));
  for (const { path, error } of outcome.failures.slice(0, 1)) toast(t("job.not_put", { count: outcome.failed, name: path, error }), { error: true });
  return outcome.taken;
}
