/** The thread behind a check of many files: reads what is asked for and answers with the facts or with the failure. */
import { readFacts } from "./file-facts.ts";
import { answerTasks } from "./thread-pool.ts";

answerTasks(readFacts);
