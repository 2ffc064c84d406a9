import { answerTasks } from "../../data/thread-pool.ts";
import { objectsOfMask } from "./mask-objects.ts";

/** The thread behind `datasetStats`: measures the masks it is sent. */
answerTasks(objectsOfMask);
