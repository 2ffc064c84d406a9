/** The thread behind `prepare`: carries out the tasks it is sent and answers with what was written or with the failure. */
import { answerTasks } from "../thread-pool.ts";
import { runTask } from "./run-task.ts";

answerTasks(runTask);
