import { boxes, grey, HEIGHT, photo, text, WIDTH } from "./layout-pictures.ts";
import { niftiBytes, RAS } from "./nifti.ts";
import { put } from "./trees.ts";

/** nnU-Net 2, 2-D: two grey channels a case, an ignore label, folds, pictures without labels. */
export function nnunet2dTree(root: string): void {
  const folder = "nnUNet_raw/Dataset007_Cells";
  for (const number of [1, 2, 3, 10]) {
    const stem = `case_${String(number).padStart(4, "0")}`;
    put(root, `${folder}/imagesTr/${stem}_0000.png`, photo(number));
    put(root, `${folder}/imagesTr/${stem}_0001.png`, photo(number + 50));
    put(root, `${folder}/labelsTr/${stem}.png`, grey(boxes(1, number === 1 ? 3 : 2)));
  }
  put(root, `${folder}/imagesTs/case_0011_0000.png`, photo(11));
  put(root, `${folder}/imagesTs/case_0011_0001.png`, photo(12));
  const folds = [
    { train: ["case_0001", "case_0002", "case_0003"], val: ["case_0010"] },
    { train: ["case_0002", "case_0003", "case_0010"], val: ["case_0001"] },
  ];
  put(root, `${folder}/splits_final.json`, text(folds));
  const description = {
    channel_names: { 0: "DAPI", 1: "actin" },
    labels: { background: 0, cell: 1, nucleus: 2, ignore: 3 },
    numTraining: 4,
    file_ending: ".png",
  };
  put(root, `${folder}/dataset.json`, text(description));
}

/** A volume of 12 x 8 x 3 voxels, its labels in the middle slice. */
const volume = (value: (pixel: number, z: number) => number, type: "int16" | "uint8" | "float32", volumes = 1) => {
  const pixels = WIDTH * HEIGHT;
  const shape = volumes === 1 ? [WIDTH, HEIGHT, 3] : [WIDTH, HEIGHT, 3, volumes];
  const at = (index: number) => value(index % pixels, Math.floor(index / pixels));
  return niftiBytes({ shape, value: at, type, affine: RAS, gzip: true });
};
const LABELS = boxes(1, 2);
const label = () => volume((pixel, z) => (z === 1 ? (LABELS[pixel] ?? 0) : 0), "uint8");

/** nnU-Net 1: CT in NIfTI, `modality` and labels by number. */
export function nnunet1Tree(root: string): void {
  for (const name of ["t_000", "t_001", "t_002"]) {
    // Labelled voxels from 40 to 60, all else at -1000 and 3000.
    const scan = volume(
      (pixel, z) => (z === 1 && (LABELS[pixel] ?? 0) > 0 ? 40 + (pixel % 21) : pixel % 2 === 0 ? -1000 : 3000),
      "int16",
    );
    put(root, `imagesTr/${name}_0000.nii.gz`, scan);
    put(root, `labelsTr/${name}.nii.gz`, label());
  }
  const description = {
    ...{ name: "Liver", modality: { 0: "CT" }, labels: { 0: "background", 1: "liver", 2: "tumour" } },
    training: [0, 1, 2].map((at) => ({ image: `./imagesTr/t_00${at}.nii.gz`, label: `./labelsTr/t_00${at}.nii.gz` })),
  };
  put(root, "dataset.json", text(description));
}

/** The Decathlon: four modalities in one 4-D file. */
export function decathlonTree(root: string): void {
  const names = ["BRATS_001", "BRATS_002", "BRATS_003"];
  for (const name of names) {
    const scan = volume((pixel, z) => 100 * Math.floor(z / 3) + (pixel % 50), "float32", 4);
    put(root, `Task01_BrainTumour/imagesTr/${name}.nii.gz`, scan);
    put(root, `Task01_BrainTumour/imagesTr/._${name}.nii.gz`, text("as macOS leaves it"));
    put(root, `Task01_BrainTumour/labelsTr/${name}.nii.gz`, label());
  }
  const description = {
    ...{ name: "BRATS", reference: "https://www.med.upenn.edu/sbia/brats2017.html", licence: "CC-BY-SA 4.0" },
    ...{ tensorImageSize: "4D", modality: { 0: "FLAIR", 1: "T1w", 2: "t1gd", 3: "T2w" } },
    labels: { 0: "background", 1: "edema", 2: "enhancing tumour" },
    ...{ numTraining: 3, numTest: 1 },
    training: names.map((name) => ({ image: `./imagesTr/${name}.nii.gz`, label: `./labelsTr/${name}.nii.gz` })),
    test: ["./imagesTs/BRATS_004.nii.gz"],
  };
  put(root, "Task01_BrainTumour/dataset.json", text(description));
}
