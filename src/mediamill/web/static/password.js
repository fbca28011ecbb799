// On the account's page: change the name, the password, the address, and ask for the mail that confirms it.
import { call, clearProblem, showProblem } from "./api.js";
import { t } from "./texts.js";

const asks = {
  "name-form": async ({ name }) => {
    await call("PATCH", "/v1/me", { name });
    return t("words.saved");
  },
  "password-form": async ({ current = "", new: chosen }) => {
    await call("POST", "/v1/auth/password", { current, new: chosen });
    return t("account.password_changed");
  },
  "address-form": async ({ email, password }) => {
    await call("PATCH", "/v1/me", { email, password });
    return t("account.address_mailed");
  },
};

for (const [id, ask] of Object.entries(asks)) {
  const form = document.getElementById(id);
  if (!form) continue;
  const button = form.querySelector("button");
  button.disabled = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    attempt(form, button, () => ask(Object.fromEntries(new FormData(form))), () => done(form));
  });
}

const resend = document.getElementById("resend");
if (resend) {
  resend.disabled = false;
  resend.addEventListener("click", async () => {
    const said = resend.parentElement.querySelector("[role=status]");
    try {
      await call("POST", "/v1/auth/verify/resend");
      said.textContent = t("account.on_its_way");
    } catch (problem) {
      said.textContent = problem.message;
    }
  });
}

function done(form) {
  if (form.id === "name-form") return;
  form.reset();
  if (form.id === "password-form" && !form.elements.current) location.reload(); // from now on it asks for the first one
}

async function attempt(form, button, ask, after) {
  const said = form.querySelector(".actions [role=status]");
  button.disabled = true;
  said.textContent = "";
  try {
    said.textContent = await ask();
    after();
  } catch (problem) {
    showProblem(form, problem);
  } finally {
    button.disabled = false;
  }
}
