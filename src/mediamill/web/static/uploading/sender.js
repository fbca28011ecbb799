// An uploader of Uppy’s for what one function sends: `send(entry, { signal, progress })` answers when all is
// through. Paused, it is stopped, and begun anew when it goes on; what has arrived in parts it finds by itself.
import { BasePlugin } from "../vendor/uppy.js";

const PAUSED = Symbol("paused");
const REMOVED = Symbol("removed");

export class Sender extends BasePlugin {
  constructor(uppy, options) {
    super(uppy, options);
    this.id = "Sender";
    this.type = "uploader";
  }

  install() {
    this.uppy.setState({ capabilities: { ...this.uppy.getState().capabilities, resumableUploads: true } });
    this.uppy.addUploader(this.start);
  }

  uninstall() {
    this.uppy.removeUploader(this.start);
  }

  start = async (ids) => {
    const files = this.uppy.getFilesByIds(ids);
    this.uppy.emit("upload-start", files);
    await Promise.allSettled(files.map((file) => this.send(file)));
  };

  async send({ id }) {
    let stop = new AbortController();
    let goOn = () => {};
    const paused = (file, isPaused) => {
      if (file.id !== id) return;
      if (isPaused) stop.abort(PAUSED);
      else goOn();
    };
    const removed = (file) => {
      if (file.id !== id) return;
      stop.abort(REMOVED);
      goOn();
    };
    this.uppy.on("upload-pause", paused);
    this.uppy.on("file-removed", removed);
    try {
      for (;;) {
        try {
          const outcome = await this.opts.send(this.uppy.getFile(id).meta.entry, { signal: stop.signal, progress: (bytes) => this.told(id, bytes) });
          if (this.uppy.getFile(id)) this.uppy.emit("upload-success", this.uppy.getFile(id), { status: 200, body: outcome });
          return;
        } catch (problem) {
          if (stop.signal.aborted && stop.signal.reason === PAUSED) await new Promise((resolve) => { goOn = resolve; });
          if (!this.uppy.getFile(id)) return;
          if (problem !== PAUSED) throw problem;
          stop = new AbortController();
        }
      }
    } catch (problem) {
      this.uppy.emit("upload-error", this.uppy.getFile(id), problem);
    } finally {
      this.uppy.off("upload-pause", paused);
      this.uppy.off("file-removed", removed);
    }
  }

  told(id, bytesUploaded) {
    const file = this.uppy.getFile(id);
    if (file && !file.isPaused) this.uppy.emit("upload-progress", file, { uploadStarted: file.progress.uploadStarted ?? 0, bytesUploaded, bytesTotal: file.size });
  }
}
