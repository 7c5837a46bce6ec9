/** How the story is told. */

/** Says what came of something. */
export const say = (text: string): void => console.log(`    ${text}`);

/** One step, under its title. */
export async function step(title: string, play: () => Promise<void>): Promise<void> {
  console.log(`\n== ${title}`);
  await play();
}
