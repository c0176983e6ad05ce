import { describe, expect as expectThat, it } from 'vitest';
import { expect, laneOf } from '../../src/loop/index.js';

describe('lanes', () => {
  it('are one for all requests that need nothing in particular', () => {
    expectThat(laneOf({}, [])).toBe('any');
  });

  it('differ by checkpoint, VAE, way of repairing and tags, whatever the order of the tags', () => {
    const lanes = [
      laneOf({ checkpoint: 'a' }, []),
      laneOf({ vae: 'a' }, []),
      laneOf({}, ['a']),
      laneOf({}, ['a', 'b']),
      laneOf({}, [], { with: 'adetailer' }),
    ];
    expectThat(new Set(lanes).size).toBe(5);
    expectThat(laneOf({}, ['b', 'a'])).toBe(laneOf({}, ['a', 'b']));
  });

  it('have names that a queue takes', () => {
    expectThat(laneOf({ checkpoint: 'models/ä:b c.safetensors' }, [])).toMatch(/^[A-Za-z0-9-]+$/);
  });
});

describe('what a gate delivers', () => {
  it('is bounded by its recall, whatever the budget', () => {
    const gate = { badRate: 0.5, recall: 0.634, falseAlarms: 0.366 };
    expectThat(expect(gate, 2).badAmongAccepted).toBeCloseTo(0.366);
    expectThat(expect(gate, 200).badAmongAccepted).toBeCloseTo(0.366);
    expectThat(expect(gate, 200).attemptsPerShot).toBeCloseTo(2);
  });

  it('is what no attempt can improve where the gate rejects everything', () => {
    expectThat(expect({ badRate: 1, recall: 1, falseAlarms: 0 }, 3)).toEqual({
      accepted: 0,
      attemptsPerShot: 3,
      exhausted: 1,
      badAmongAccepted: 0,
    });
  });
});
