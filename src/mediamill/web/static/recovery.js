// The pages that mails about accounts lead to: a link for a new password, the password, an address,
// an account.
import { call, clearProblem, showProblem } from "./api.js";
import { t } from "./texts.js";

const form = document.querySelector("form[id]");
const done = document.getElementById("done");
// Behind the # stands the link's secret, which the server of the page was never sent.
const token = location.hash.slice(1);
if (token) history.replaceState(null, "", location.pathname);

const asks = {
  forgot: async ({ email }) => (await call("POST", "/v1/auth/password/forgot", { email })).detail,
  reset: async ({ password }) => {
    await call("POST", "/v1/auth/password/reset", { token, password });
    return t("signin.password_set");
  },
  verify: async () => {
    await call("POST", "/v1/auth/verify", { token });
    return t("signin.verified");
  },
  invitation: async ({ name, password }) => {
    await call("POST", "/v1/auth/invitation", { token, password, name });
    location.replace("/");
    return t("signin.account_made");
  },
};

const button = form.querySelector("button");
button.disabled = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(form);
  button.disabled = true;
  try {
    done.textContent = await asks[form.id](Object.fromEntries(new FormData(form)));
    form.hidden = true;
  } catch (problem) {
    showProblem(form, problem);
  } finally {
    button.disabled = false;
  }
});
