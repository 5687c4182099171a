/** The bare methods that others are compared with: bytes in, the same bytes out. */
export const ECHO_PATH = '/bench.Echo/Unary';
export const ECHO_STREAM_PATH = '/bench.Echo/Stream';

export const identity = (bytes: Buffer): Buffer => bytes;
