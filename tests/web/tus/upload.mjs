// Uploads a file with tus-js-client; prints what happened as JSON lines.
// node upload.mjs '{"endpoint", "path", "token", "chunk", "url", "defer", "stopAt", "methodOverride"}'
import { createRequire } from "node:module";
import fs from "node:fs";
import http from "node:http";
import { PassThrough } from "node:stream";

const given = JSON.parse(process.argv[2]);
const tus = createRequire(`${given.modules}/`)("tus-js-client");
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
// no kept-alive connections: a connection that the proxy has cut must not be offered again
const httpStack = new tus.DefaultHttpStack({ agent: new http.Agent({ keepAlive: false }) });
let tries = 0;

// of a file the client knows the size, so a length that is told later needs another stream
const file = fs.createReadStream(given.path);
const upload = new tus.Upload(given.defer ? file.pipe(new PassThrough()) : file, {
  endpoint: given.url ? undefined : given.endpoint,
  uploadUrl: given.url,
  uploadSize: given.defer ? undefined : fs.statSync(given.path).size,
  uploadLengthDeferred: given.defer ?? false,
  chunkSize: given.chunk ?? fs.statSync(given.path).size,
  overridePatchMethod: given.methodOverride ?? false,
  uploadDataDuringCreation: given.withCreation ?? false,
  headers: { Authorization: `Bearer ${given.token}` },
  metadata: given.metadata ?? { filename: given.name ?? "pushed.bin" },
  retryDelays: given.retries ?? [0, 200, 400, 800, 1600, 3000, 3000, 3000],
  httpStack,
  onShouldRetry: (error) => {
    tries += 1;
    say("retry", { status: error.originalResponse?.getStatus() ?? 0 });
    const status = error.originalResponse?.getStatus() ?? 0;
    return status < 400 || status >= 500 || status === 409 || status === 423;
  },
  onProgress: (sent) => {
    if (given.stopAt && sent >= given.stopAt) {
      upload.abort(false).then(() => say("stopped", { url: upload.url }));
    }
  },
  onAfterResponse: (request, response) => {
    const file = response.getHeader("Mediamill-File");
    if (file) say("file", { file, method: request.getMethod() });
  },
  onError: (error) =>
    say("failed", {
      status: error.originalResponse?.getStatus() ?? 0,
      body: error.originalResponse?.getBody() ?? String(error),
    }),
  onSuccess: () => say("done", { url: upload.url, tries }),
});
upload.start();
