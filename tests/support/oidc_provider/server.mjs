// An OpenID Connect issuer on 127.0.0.1: `oidc-provider` with its own sign-in pages.
// The one argument is JSON: where its modules are, port, private keys, clients, resource.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const given = JSON.parse(process.argv[2]);
const modules = path.join(given.modules, "node_modules");
const require = createRequire(path.join(modules, "x.js"));
const main = require.resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(main).href);

// Who signs in as “una…” has no verified address, who signs in as “chief…” is in a group.
const claimsOf = (id) => ({
  sub: id,
  email: `${id}@example.org`,
  email_verified: !id.startsWith("una"),
  name: `The one called ${id}`,
  groups: id.startsWith("chief") ? ["chiefs"] : ["others"],
});

const provider = new Provider(given.issuer, {
  clients: given.clients,
  jwks: { keys: given.keys },
  cookies: { keys: ["only for tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  scopes: ["openid", "offline_access", "email", "profile", "api"],
  clientDefaults: { id_token_signed_response_alg: given.keys[0].alg },
  pkce: { required: () => true },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => claimsOf(id) }),
  issueRefreshToken: () => true,
  features: {
    clientCredentials: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: "api",
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 3600,
        jwt: { sign: { alg: given.keys[0].alg } },
      }),
    },
  },
});
provider.listen(given.port, "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
