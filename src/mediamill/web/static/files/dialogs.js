// The dialogs of the page of files: tags for what is chosen, and a project that it joins.
import { tag } from "./actions.js";
import { joining } from "./joining.js";
import { opens, sends } from "./opening.js";

export function dialogs({ choice, source }) {
  const changed = (ids) => {
    for (const id of ids) source.items.delete(id);
    source.changed();
  };
  opens("tag", "tag-dialog");
  sends("tag-form", async (form) => {
    const tags = form.elements.tags.value.split(",").map((one) => one.trim()).filter(Boolean);
    await tag(choice.list, tags, changed);
    form.reset();
  });
  joining({ ids: () => choice.list });
}
