import { answerTasks } from "../thread-pool.ts";
import { runTask } from "./run-task.ts";

/**
 * The thread behind `prepare`: carries out the tasks it is sent and answers with what was written or with the failure.
 */
answerTasks(runTask);
