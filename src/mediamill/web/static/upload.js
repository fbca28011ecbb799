// Upload files, from any page: a few at a time, whatever the connection does, in a panel at the foot of the page.
//
// `upload(files, { project, tags, done })`: the files join the project; `tags(file)` gives those of a file;
// `done(answer, file)` is called with each file as the API shows it once it is ready (`answer.duplicate`: it
// was here already), and `document` hears `mediamill:file` with it in `detail.file`.
//
// What sends them is loaded when it is needed first: it is larger than most pages.
import { unfinished } from "./uploading/kept.js";

let queue = null;

export async function upload(files, options = {}) {
  const all = [...files];
  if (all.length) await (await sending()).add(all, options);
}

async function sending() {
  queue ||= import("./uploading/panel.js").then(({ open }) => open());
  return queue;
}

// What a page that was closed or loaded anew had begun is shown: its files have to be chosen once more.
if (unfinished().length) sending().then((sent) => sent.recall());
