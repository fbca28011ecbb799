// What static/vendor/uppy.js offers to the scripts of our pages.
export { BasePlugin, default as Uppy } from "@uppy/core";
export { default as Tus } from "@uppy/tus";
