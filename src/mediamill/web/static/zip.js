// A zip of small files, stored as they are: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const MOST = 65_000; // a zip without extensions counts to 65,535
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

// Numbers of two or four bytes, the least first: [size, value] each.
function fields(...pairs) {
  const view = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of pairs) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return view;
}

// A File with the files in it, each at what `path` says of it; null where they are too many.
export async function zipped(files, name, path) {
  if (files.length > MOST) return null;
  const [parts, directory] = [[], []];
  let [offset, listed] = [0, 0];
  for (const file of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const called = new TextEncoder().encode(path(file));
    // version 2.0, names in UTF-8, stored, 1 January 1980
    const shared = [[2, 20], [2, 0x800], [2, 0], [2, 0], [2, 0x21], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, called.length], [2, 0]];
    parts.push(fields([4, 0x04034b50], ...shared), called, bytes);
    directory.push(fields([4, 0x02014b50], [2, 20], ...shared, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), called);
    offset += 30 + called.length + bytes.length;
    listed += 46 + called.length;
  }
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, listed], [4, offset], [2, 0]);
  return new File([...parts, ...directory, end], name, { type: "application/zip" });
}
