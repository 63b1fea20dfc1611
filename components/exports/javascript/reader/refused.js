// What a reader is told, in one line, where a file is not read.
export class Refused extends Error {}

export function refuse(why) {
  throw new Refused(why);
}
