/**
 * What sessions of this process are doing to one database's catalogue. A definition can change
 * between the moment at which another session's statement is judged and the moment at which the
 * server reads it: so from the sending of a change until its transaction is over, no other session
 * takes what it knows of the catalogue for the truth.
 *
 * Changes that come from beside the gateway, or through another process, are not seen here.
 */
export class CatalogueChanges {
  #underWay = 0;
  #generation = 0;

  /** Changes that are under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Rises when a change begins or is over: what was read before may not hold any more. */
  get generation(): number {
    return this.#generation;
  }

  /** A change is about to be sent. The returned function says that it is over; once. */
  begin(): () => void {
    this.#underWay += 1;
    this.#generation += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#underWay -= 1;
      this.#generation += 1;
    };
  }
}
