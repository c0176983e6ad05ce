export const style = `
:root {
  color-scheme: light dark;
  --paper: #f7f6f3; --card: #fff; --ink: #23211d; --soft: #6d6961; --line: #e4e1da; --gap: 14px; --side: 28px; --columns: 6;
  --accepted: #3c7a5a; --rejected: #b4533a; --kept: #7a5aa0; --review: #9a7420; --bar: #d9e6de; --bar-bad: #f1ddd6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #191817; --card: #232220; --ink: #ebe8e2; --soft: #a09b91; --line: #383632;
    --accepted: #7fbf9c; --rejected: #e0937c; --kept: #b99be0; --review: #d6b25e; --bar: #2c3f35; --bar-bad: #47302a;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 56px; }
body {
  margin: 0 auto; max-width: 1240px; padding: 40px var(--side) 72px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { margin: 0; font-size: 30px; font-weight: 650; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { margin: 48px 0 4px; font-size: 21px; font-weight: 650; letter-spacing: -0.01em; }
h3 { margin: 32px 0 0; font-size: 14px; font-weight: 600; color: var(--soft); }
p { margin: 4px 0 0; max-width: 72ch; color: var(--soft); overflow-wrap: anywhere; }
p b, li b { color: var(--ink); }
a { color: inherit; }
.now { color: var(--review); }
.menu {
  position: sticky; top: 0; z-index: 1; display: flex; gap: 6px; margin: 20px calc(-1 * var(--side)) 0; padding: 8px var(--side); overflow-x: auto;
  background: var(--paper); border-bottom: 1px solid var(--line); font-size: 14px; white-space: nowrap;
}
.menu a { padding: 6px 10px; border-radius: 8px; text-decoration: none; }
.menu a:hover { background: var(--line); }
.menu b { font-weight: 600; font-variant-numeric: tabular-nums; }
.menu .accepted b { color: var(--accepted); } .menu .failed b { color: var(--rejected); }
.menu .review b { color: var(--review); } .menu .exhausted b { color: var(--kept); }
.jumps { display: flex; flex-wrap: wrap; align-items: center; gap: 4px; margin-top: 12px; color: var(--soft); font-size: 13px; }
.jumps a {
  min-width: 44px; padding: 5px 8px; border: 1px solid var(--line); border-radius: 6px; background: var(--card); text-align: center;
  text-decoration: none; font-variant-numeric: tabular-nums;
}
.jumps a:not([href^="#"]) { background: none; border-style: dashed; }
.tiles { display: grid; grid-template-columns: repeat(var(--wide), minmax(0, 1fr)); gap: 12px; margin-top: 20px; }
.tile, .panel { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 16px 18px; }
.tile b { display: block; font-size: 28px; font-weight: 600; line-height: 1.2; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
@media (max-width: 1000px) { .tiles { grid-template-columns: repeat(var(--narrow), minmax(0, 1fr)); } }
.tile.good b { color: var(--accepted); } .tile.bad b { color: var(--rejected); } .tile.kept b { color: var(--kept); }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 12px; margin-top: 12px; }
.panel { padding: 18px 20px; }
.panel h2 { margin: 0; font-size: 15px; }
.panel p { max-width: 110ch; font-size: 13px; }
svg { display: block; width: 100%; height: auto; margin-top: 10px; }
svg text { fill: var(--ink); font-size: 12px; text-anchor: middle; font-variant-numeric: tabular-nums; }
svg .name, svg .note { fill: var(--soft); } svg .note { font-size: 10.5px; } svg line { stroke: var(--line); }
.bar { fill: var(--accepted); } .panel.bad .bar { fill: var(--rejected); }
.split { display: flex; gap: 2px; height: 14px; margin: 10px 0 4px; border-radius: 7px; overflow: hidden; background: var(--bar); }
.split i { width: var(--share); background: var(--rejected); }
.truth { display: grid; grid-template-columns: auto 1fr auto; gap: 2px 14px; align-items: center; margin-top: 12px; }
.truth .split { margin: 0; }
.truth + p { margin-top: 10px; }
.truth output { text-align: right; font-variant-numeric: tabular-nums; }
/* A part that is out of sight is not laid out, and is as high as it will be: links lead where they should. */
.sheet {
  --cell: calc((min(100vw, 1240px) - 2 * var(--side) - (var(--columns) - 1) * var(--gap)) / var(--columns));
  display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); gap: var(--gap); align-items: start;
  margin: 16px calc(-1 * var(--gap)) 0; padding-inline: var(--gap);
  content-visibility: auto; contain-intrinsic-block-size: calc(var(--cards) / var(--columns) * (var(--cell) + 79px + var(--gap)));
}
figure { position: relative; margin: 0; --mark: var(--rejected); }
figure.accepted, figure.earlier { --mark: var(--accepted); }
figure.review { --mark: var(--review); } figure.kept { --mark: var(--kept); }
figure.next::before {
  content: "\\203a"; position: absolute; left: calc(-1 * var(--gap)); top: 0; width: var(--gap); aspect-ratio: 1 / 12; display: grid;
  place-items: center; color: var(--soft); font-size: 20px;
}
figure > a {
  display: grid; place-items: center; aspect-ratio: 1; overflow: hidden; background: var(--line); border-radius: 10px 10px 0 0;
  border-bottom: 3px solid var(--mark);
}
figure img { width: 100%; height: 100%; object-fit: contain; }
figure > :focus-visible { outline: 3px solid var(--accepted); outline-offset: -3px; }
figure i { padding: 12px; color: var(--soft); font-size: 12px; font-style: normal; overflow-wrap: anywhere; }
figcaption {
  padding: 10px; background: var(--card); border: 1px solid var(--line); border-top: 0; border-radius: 0 0 10px 10px; cursor: pointer;
  color: var(--soft); font-size: 12px; line-height: 18px; white-space: pre; overflow: hidden; text-overflow: ellipsis;
}
figcaption b { font-weight: 600; color: var(--ink); } figcaption em { font-style: normal; color: var(--mark); }
figcaption p { display: none; margin: 8px 0 0; color: var(--ink); }
figcaption:focus { white-space: pre-wrap; overflow-wrap: anywhere; cursor: auto; } figcaption:focus p { display: block; }
figcaption small { display: block; margin-top: 8px; color: var(--soft); font-size: inherit; font-variant-numeric: tabular-nums; }
ul { margin: 10px 0 0; padding-left: 20px; color: var(--soft); overflow-wrap: anywhere; } li { margin-top: 6px; }
footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }
@media (max-width: 1100px) { :root { --columns: 4; } }
@media (max-width: 800px) { :root { --columns: 3; } }
@media (max-width: 640px) {
  :root { --gap: 10px; --side: 12px; --columns: 2; }
  html { scroll-padding-top: 84px; }
  body { padding-block: 24px 48px; }
  .menu { flex-wrap: wrap; gap: 0 2px; font-size: 13px; } .menu a { padding: 4px 6px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .tile { padding: 12px 14px; } .tile b { font-size: 22px; }
  .tile:first-child:nth-last-child(odd) { grid-column: 1 / -1; }
  .panels { grid-template-columns: minmax(0, 1fr); }
  .truth { grid-template-columns: 1fr auto; grid-auto-flow: dense; }
  .truth .split { grid-column: 1 / -1; margin-bottom: 8px; }
}
@media print { body { max-width: none; padding: 0; } .menu, .jumps { display: none; } figure, .tile, .panel { break-inside: avoid; } }
`;
