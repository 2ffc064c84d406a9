import { answerTasks } from "../thread-pool.ts";
import { readMaskLevels } from "./survey-masks.ts";

/** The thread behind a survey of many masks: reads what is asked for and answers with its levels or with the failure. */
answerTasks(readMaskLevels);
