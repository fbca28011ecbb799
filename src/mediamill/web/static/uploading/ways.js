// The three ways of a file to the server, each an Uppy of its own: whole, by tus in chunks, straight to the bucket.
// Uppy holds only what is under way, a few files: with ten thousand each step of each would copy them all.
import { Tus, Uppy } from "../vendor/uppy.js";
import { UNREACHABLE, direct } from "./direct.js";
import { drop, kept } from "./kept.js";
import { Sender } from "./sender.js";
import { refusal } from "./sent.js";
import { whole } from "./whole.js";

const SMALL = 5e6; // bytes that go in one request
const CHUNK = 16 << 20; // what the server makes durable at a time
const quiet = { debug() {}, warn() {}, error() {} }; // what breaks is told in the panel

export class Ways {
  // `told` hears `progress(entry, bytes)`, `through(entry, { file } or { address })` and `broke(entry, problem)`.
  constructor(told) {
    this.told = told;
    this.entries = new Map(); // by the id that Uppy gives their files
    this.offer = null; // the most bytes of a request, asked for once
    this.past = false; // whether large files go past the service, to its bucket
    this.uppies = {
      whole: this.way("whole", Sender, { send: whole }),
      direct: this.way("direct", Sender, { send: direct }),
    };
  }

  way(name, plugin, options) {
    const uppy = new Uppy({ id: name, logger: quiet }).use(plugin, options);
    const entry = (file) => file && this.entries.get(file.id);
    uppy.on("upload-progress", (file, { bytesUploaded }) => entry(file) && this.told.progress(entry(file), bytesUploaded));
    uppy.on("upload-success", (file, { body }) => this.end(entry(file), (one) => this.told.through(one, body.xhr ? this.arrived(one, body.xhr) : body)));
    uppy.on("upload-error", (file, error) => this.end(entry(file), (one) => this.broke(one, error)));
    return uppy;
  }

  // What the server takes is asked once, however many files begin at the same moment.
  offered() {
    this.offer ||= this.ask().catch((problem) => {
      this.offer = null;
      throw problem;
    });
    return this.offer;
  }

  async ask() {
    const said = await fetch("/v1/uploads", { method: "OPTIONS" }).catch(() => { throw refusal(0); });
    if (!said.ok) throw refusal(said.status, "", said.headers.get("Retry-After"));
    const most = Number(said.headers.get("Mediamill-Max-Body")) || Infinity;
    this.uppies.tus = this.way("tus", Tus, {
      endpoint: `${location.origin}/v1/uploads`, chunkSize: Math.min(CHUNK, most), limit: 8, retryDelays: [], onShouldRetry: () => false,
      removeFingerprintOnSuccess: true, onBeforeRequest: (request, file) => keyed(request, file.meta.entry),
    });
    this.past = said.headers.get("Mediamill-Direct") === "presigned";
    return most;
  }

  async start(entry) {
    const small = entry.size <= Math.min(SMALL, await this.offered());
    entry.way ||= kept(entry.key)?.way || (small ? "whole" : this.past && entry.size > CHUNK ? "direct" : "tus");
    if (entry.way === "direct" && !this.past) entry.way = "tus";
    if (entry.state !== "sending") return; // it was paused or given up meanwhile
    const uppy = this.uppies[entry.way];
    if (entry.id) {
      entry.asking = null;
      if (uppy.getFile(entry.id).isPaused) uppy.pauseResume(entry.id);
      return;
    }
    const { file, project, tags } = entry;
    const said = { filename: file.name, ...(tags.length && { tags: tags.join(",") }), ...(project && { project }) };
    entry.id = uppy.addFile({ name: file.name, type: "", data: file, meta: { ...said, relativePath: entry.key, entry } });
    if (entry.way === "tus") uppy.setFileState(entry.id, { tus: { urlStorage: addresses(entry), allowedMetaFields: Object.keys(said) } });
    this.entries.set(entry.id, entry);
    uppy.upload().catch(() => {}); // told by its event
  }

  // Uppy’s tus cannot be paused before its first request.
  pause(entry) {
    if (!entry.id || this.uppies[entry.way].getFile(entry.id).isPaused) return;
    if (entry.way === "tus" && !entry.asked) entry.asking = () => this.pause(entry);
    else this.uppies[entry.way].pauseResume(entry.id);
  }

  // Give a file up: what has arrived of it is removed.
  remove(entry) {
    const record = kept(entry.key);
    if (entry.id) this.forget(entry);
    if (record) fetch(record.address, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => {});
    drop(entry.key);
  }

  forget(entry) {
    const { id } = entry;
    Object.assign(entry, { id: "", asked: false, asking: null });
    this.entries.delete(id);
    this.uppies[entry.way].removeFile(id);
  }

  // Uppy’s plugins tell before they have tidied up: a file that is taken away then is deleted on the server too.
  end(entry, then) {
    if (!entry) return;
    queueMicrotask(() => {
      if (!entry.id) return;
      this.forget(entry);
      then(entry);
    });
  }

  broke(entry, error) {
    if (error.code === UNREACHABLE) { // none goes there from here
      this.past = false;
      entry.way = "";
      this.remove(entry);
      entry.again();
      this.start(entry).catch((problem) => this.told.broke(entry, problem));
      return;
    }
    const answer = error.originalResponse;
    const known = "status" in error;
    const problem = known ? error : refusal(answer?.getStatus() || 0, answer?.getBody(), answer?.getHeader("Retry-After"));
    if ([404, 410].includes(problem.status) && kept(entry.key)) { // it expired: once more, from its beginning
      drop(entry.key);
      entry.again();
      problem.status = 409;
    }
    this.told.broke(entry, problem);
  }

  // The answer to the last bytes names the file; a large one is checked behind them.
  arrived(entry, request) {
    const file = request.getResponseHeader("Mediamill-File");
    return { address: file ? `/v1/files/${file}` : entry.address };
  }
}

// The creation of an upload is done once, however often it is asked for; it is ended by `remove`, not by Uppy too.
function keyed(request, entry) {
  if (request.getMethod() === "DELETE") return new Promise(() => {});
  if (request.getMethod() === "POST") request.setHeader("Idempotency-Key", entry.once);
  entry.asked = true;
  const { asking } = entry;
  entry.asking = null;
  if (asking && entry.state !== "sending") queueMicrotask(asking);
  return null;
}

// Where tus keeps the address of one file’s upload.
function addresses(entry) {
  const as = ({ name, size, address }) => ({ name, size, uploadUrl: location.origin + address, metadata: {}, creationTime: "", parallelUploadUrls: null, urlStorageKey: entry.key });
  return {
    async findAllUploads() {
      return [];
    },
    async findUploadsByFingerprint() {
      const record = kept(entry.key);
      if (record) entry.address = record.address;
      return record ? [as(record)] : [];
    },
    async addUpload(_, { uploadUrl }) {
      entry.address = new URL(uploadUrl, location.origin).pathname;
      entry.keep("tus", entry.address);
      return entry.key;
    },
    async removeUpload(key) {
      drop(key);
    },
  };
}
