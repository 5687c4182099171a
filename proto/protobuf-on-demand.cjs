// Stands for `protobufjs/minimal.js` in the bundle of worker threads: loaded when the first protobuf value is read or written, not when a worker starts.
module.exports = {
  get Reader() {
    return require('protobufjs/minimal').Reader;
  },
  get Writer() {
    return require('protobufjs/minimal').Writer;
  },
};
