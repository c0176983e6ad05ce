import { groups, type Group } from './groups.js';

/** A stretch of a section that can be jumped to. */
export interface Part {
  /** Of its first shot. */
  shot: number;
  cards: number;
}

/** One file of the report, with what of each section stands in it. */
export interface Page<P extends Part> {
  /** Beside the others, in the run's folder. */
  file: string;
  sections: {
    group: Group;
    parts: P[];
    /** The first part's place in its section, from 1. */ first: number;
  }[];
}

/** A part holds the cards of whole shots, so many or a shot more: as many as a thumb scrolls over. */
export const cardsPerPart = 300;
/** What a browser shows within a second or two on a telephone. */
const cardsPerPage = 15_000;

export const firstPage = 'report.html';

/** One page as long as it opens quickly; else the first is an overview, and each section has pages of its own. */
export function pagesOf<P extends Part>(sections: ReadonlyMap<Group, readonly P[]>): Page<P>[] {
  const filled = groups.flatMap(([group]) => {
    const parts = sections.get(group) ?? [];
    return parts.length === 0 ? [] : [{ group, parts: [...parts], first: 1 }];
  });
  const cards = filled.reduce((sum, { parts }) => sum + cardsIn(parts), 0);
  if (cards <= cardsPerPage) return [{ file: firstPage, sections: filled }];
  return [
    { file: firstPage, sections: [] },
    ...filled.flatMap(({ group, parts }) =>
      inPages(parts).map(({ parts, first }, place) => ({
        file: `report-${group}-${place + 1}.html`,
        sections: [{ group, parts, first }],
      })),
    ),
  ];
}

function inPages<P extends Part>(parts: readonly P[]): { parts: P[]; first: number }[] {
  const pages: { parts: P[]; first: number }[] = [];
  let room = 0;
  for (const [place, part] of parts.entries()) {
    if (room < part.cards) {
      pages.push({ parts: [], first: place + 1 });
      room = cardsPerPage;
    }
    pages.at(-1)?.parts.push(part);
    room -= part.cards;
  }
  return pages;
}

const cardsIn = (parts: readonly Part[]): number => parts.reduce((sum, { cards }) => sum + cards, 0);

/** Where a part begins. */
export interface Place {
  file: string;
  anchor: string;
  /** Its first shot. */
  shot: number;
}

/** Where the parts of each section begin, in order. */
export function placesOf(pages: readonly Page<Part>[]): Map<Group, Place[]> {
  const places = new Map<Group, Place[]>();
  for (const { file, sections } of pages) {
    for (const { group, parts, first } of sections) {
      const here = parts.map(({ shot }, at) => ({ file, anchor: anchorOf(group, first + at), shot }));
      places.set(group, [...(places.get(group) ?? []), ...here]);
    }
  }
  return places;
}

/** The first part bears its section's name. */
export const anchorOf = (group: Group, place: number): string => (place === 1 ? group : `${group}-${place}`);

/** Where the cards of a shot are, among the places of its section. */
export function placeOfShot(shot: number, places: readonly Place[]): string | undefined {
  const part = places.findLast((place) => place.shot <= shot);
  return part && `${part.file}#s${shot}`;
}
