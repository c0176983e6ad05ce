import { expect, it } from 'vitest';
import { describeLacks, lackOf } from '../../src/backends/lacks.js';
import { meant } from '../../src/backends/stem.js';

const names = [
  'art\\Hands.safetensors',
  'feet.safetensors',
  'a/eyes.ckpt',
  'b/eyes.safetensors',
  'Eyes.ckpt',
];

it.each([
  ['feet.safetensors', 'feet.safetensors'],
  ['art\\Hands.safetensors', 'art\\Hands.safetensors'],
  ['art/hands.safetensors', 'art\\Hands.safetensors'],
  ['hands', 'art\\Hands.safetensors'],
  ['elsewhere/hands.ckpt', 'art\\Hands.safetensors'],
  ['Feet.safetensors [0123456789]', 'feet.safetensors'],
  ['B/eyes.safetensors', 'b/eyes.safetensors'],
  ['eyes.ckpt', 'Eyes.ckpt'],
  ['eyes', undefined],
  ['knees', undefined],
])('%s means %s', (asked, expected) => {
  expect(meant(asked, names)).toBe(expected);
});

it('two spellings that differ in letter case alone are told apart by an exact name alone', () => {
  expect(meant('a.ckpt', ['A.ckpt', 'a.ckpt'])).toBe('a.ckpt');
  expect(meant('a', ['A.ckpt', 'a.ckpt'])).toBeUndefined();
});

it.each([
  ['eulr a', ['Euler a', 'LMS'], 'no sampler "eulr a" (nearest: Euler a)'],
  ['nope', ['a', 'b'], 'no sampler "nope" (it has a, b)'],
  ['nope', ['a', 'b', 'c', 'd', 'e', 'f'], 'no sampler "nope" (it has a, b, c, d, e, ...)'],
  ['nope', [], 'no sampler "nope" (it has none)'],
])('of a server that lacks %s it is told what it has', (asked, has, words) => {
  expect(describeLacks([lackOf('sampler', asked, has)])).toBe(words);
});
