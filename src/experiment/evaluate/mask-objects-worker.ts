/** The thread behind `datasetStats`: measures the masks it is sent. */
import { answerTasks } from "../../data/thread-pool.ts";
import { objectsOfMask } from "./mask-objects.ts";

answerTasks(objectsOfMask);
