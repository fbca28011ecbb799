// Sign in: by the one-time link (only a script spends its token, not a link preview), or by password.
import { call, clearProblem, showProblem } from "./api.js";
import { t } from "./texts.js";

const query = new URLSearchParams(location.search);
const card = document.getElementById("link");
// Where an issuer has sent the browser back the address does not say it, but the page does.
const next = query.get("next") || card.dataset.next;
// Resolved as the browser will: it drops tabs and newlines, and takes “\” for “/”.
const address = (() => { try { return new URL(next, location.origin).href; } catch { return ""; } })();
const target = address.startsWith(`${location.origin}/`) ? address : "/";
const token = query.get("token");

if (token) {
  history.replaceState(null, "", "/signin");
  card.hidden = false;
  call("POST", "/v1/auth/redeem", { token })
    .then(() => location.replace(target))
    .catch((problem) => {
      card.querySelector("h1").textContent = t("signin.link_refused");
      showProblem(card, problem);
    });
}

for (const form of document.querySelectorAll("form")) {
  const button = form.querySelector("button");
  button.disabled = false; // whoever is faster than this script would press in vain
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblem(form);
    const { email, password, code } = Object.fromEntries(new FormData(form));
    button.disabled = true;
    try {
      if (form.id === "register") await call("POST", "/v1/auth/register", { email, password });
      await call("POST", "/v1/auth/login", { email, password, code });
      location.replace(target);
    } catch (problem) {
      if (problem.code === "account_closing") location.assign(`/erasures/${problem.details.token}`);
      const second = document.getElementById("login-second");
      if (problem.code === "second_factor_required" && second.hidden) {
        // The password was right: what is asked for now is the code beside it.
        second.hidden = false;
        document.getElementById("login-code").focus();
      } else showProblem(form, problem);
    } finally {
      button.disabled = false;
    }
  });
}
