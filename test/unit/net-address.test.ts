import { expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import { addressOf } from '../../src/net/index.js';

it.each([
  ['http://127.0.0.1:7860', 'http://localhost:7860/'],
  ['http://127.0.0.1:7860', 'http://[::1]:7860//'],
  ['http://0.0.0.0:7860', 'http://LocalHost.:7860'],
  ['http://127.1:7860', 'http://[::ffff:127.0.0.1]:7860'],
  ['https://GPU.example:443/sd/', 'https://gpu.example/sd'],
  ['http://gpu:80', 'http://gpu.'],
  ['http://me:secret@gpu:7860', 'http://gpu:7860'],
])('%s and %s are one server', (one, other) => {
  expect(addressOf(one)).toBe(addressOf(other));
});

it.each([
  ['http://gpu:7860', 'https://gpu:7860'],
  ['http://gpu:7860', 'http://gpu:7861'],
  ['http://gpu/a', 'http://gpu/A'],
  ['http://127.0.0.1:7860', 'http://127.0.0.2:7860'],
  ['http://gpu', 'http://gpu.example'],
])('%s and %s are two', (one, other) => {
  expect(addressOf(one)).not.toBe(addressOf(other));
});

it('holds no password', () => {
  expect(addressOf('http://me:secret@gpu:7860')).toBe('http://gpu:7860');
});

it('what is no address is refused', () => {
  expect(() => addressOf('gpu:7860')).toThrow(ConfigError);
});
