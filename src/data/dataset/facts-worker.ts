import { answerTasks } from "../thread-pool.ts";
import { readFacts } from "./file-facts.ts";

/** The thread behind a check of many files: reads what is asked for and answers with the facts or with the failure. */
answerTasks(readFacts);
