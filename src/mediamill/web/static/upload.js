// Upload files, from any page: a few at a time, whatever the connection does, in a panel at the foot of the page.
//
// `upload(files, { project, tags, done })`: the files join the project; `tags(file)` gives those of a file;
// `done(answer, file)` is called with each file as the API shows it once it is ready (`answer.duplicate`: it
// was here already), and `document` hears `mediamill:file` with it in `detail.file`.
//
// What sends them is loaded when it is needed first: it is larger than most pages.
import { t } from "./texts.js";
import { toast } from "./toast.js";
import { unfinished } from "./uploading/kept.js";

let queue = null;

export async function upload(files, options = {}) {
  const all = [...files];
  if (!all.length) return;
  let sent;
  try {
    sent = await sending();
  } catch {
    toast(t("uploads.not_begun", { count: all.length }), { error: true });
    return;
  }
  await sent.add(all, options);
}

// Where it could not be loaded the next files ask for it again.
function sending() {
  queue ||= import("./uploading/panel.js").then(({ open }) => open()).catch((problem) => {
    queue = null;
    throw problem;
  });
  return queue;
}

// What a page that was closed or loaded anew had begun is shown: its files have to be chosen once more.
if (unfinished().length) sending().then((sent) => sent.recall(), () => {});
