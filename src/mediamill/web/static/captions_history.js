// All captions, newest first: found by words, copied, exported, deleted.
import { call } from "./api.js";
import { asked as confirmed } from "./asking.js";
import { Cards, asked, listen } from "./captioned.js";
import { t } from "./texts.js";

const element = (name) => document.getElementById(name);
const form = element("filters");
const list = element("cards");

function changed() {
  const filtered = asked(form).size > 0;
  const count = list.children.length;
  element("status").textContent = count ? shown(count) : "";
  element("none").textContent = filtered ? t("captions.none_found") : t("captions.none");
  element("delete-all").disabled = !count;
  element("delete-all").textContent = filtered ? t("captions.delete_found_do") : t("captions.delete_all_do");
}

const shown = (count) => (element("more").hidden ? t("words.images", { count }) : t("captions.shown_so_far", { count }));

const cards = new Cards(list, form, { tools: ["copy", "edit", "undo", "delete"], changed });
listen(list, (card, action) => {
  if (action === "delete") changed();
});

element("delete-all").addEventListener("click", async () => {
  const query = asked(form);
  const question = query.size ? t("captions.delete_found") : t("captions.delete_all");
  if (!await confirmed(question, t("captions.delete_all_told"), t("words.delete_for_good"))) return;
  element("delete-all").disabled = true;
  query.set("confirm", "delete");
  let removed = 0;
  try {
    for (let more = true; more;) {
      const told = await call("DELETE", `/v1/captions?${query}`);
      removed += told.removed;
      more = told.has_more;
      element("status").textContent = t("captions.deleted", { count: removed });
    }
  } catch (problem) {
    document.querySelector("main > [data-error]").textContent = problem.message;
  }
  await cards.begin();
});

await cards.begin();
