import { UsageError } from "../../errors.ts";
import { suggestion } from "../../nearest.ts";

/** A file of weights that others publish, as `--weights SOURCE:NAME` names it. */
export interface PublishedFile {
  /** `imagenet:resnet50`: what it was trained on, and the network. */
  readonly name: string;
  /** As its publisher calls it; the file keeps this name wherever it lies. */
  readonly file: string;
  readonly url: string;
  /** Where its publisher lists it, for a person who has to fetch it by hand. */
  readonly page: string;
  /** SHA-256 in lower case: all 64 digits, or the first ones where its publisher gives no more, in the file's name. */
  readonly sha256: string;
  /** Length in bytes, where it is known. */
  readonly bytes?: number;
  /** What it fills, with the flags that go with it. */
  readonly fills: string;
}

const TORCHVISION = "https://docs.pytorch.org/vision/stable/models.html";
const TORCHVISION_FILES = "https://download.pytorch.org/models";

const torchvision = (
  name: string,
  file: string,
  { bytes, sha256, fills }: { readonly bytes: number; readonly sha256: string; readonly fills: string },
): PublishedFile => ({ name, file, url: `${TORCHVISION_FILES}/${file}`, page: TORCHVISION, sha256, bytes, fills });

/**
 * The files that have a name here. torchvision and timm put the first eight digits of a file's SHA-256 into its name; Res2Net's
 * authors do too. All digits and the length stand here where independent public projects record the same ones, they begin as
 * the name says, and the length is that of torchvision's own table (`_file_size`, in MiB, three digits). Nobody can say more of
 * the other two than their names do: of them the eight digits are checked.
 */
export const PUBLISHED_FILES: readonly PublishedFile[] = [
  torchvision("imagenet:resnet18", "resnet18-f37072fd.pth", {
    bytes: 46_830_571,
    sha256: "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    fills: "--encoder resnet18",
  }),
  torchvision("imagenet:resnet34", "resnet34-b627a593.pth", {
    bytes: 87_319_819,
    sha256: "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
    fills: "--encoder resnet34",
  }),
  torchvision("imagenet:resnet50", "resnet50-11ad3fa6.pth", {
    bytes: 102_540_417,
    sha256: "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
    fills: "--encoder resnet50 (the default) and other networks' ResNet-50",
  }),
  torchvision("imagenet:resnet50-v1", "resnet50-0676ba61.pth", {
    bytes: 102_530_333,
    sha256: "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    fills: "the same, trained as of old (IMAGENET1K_V1)",
  }),
  {
    name: "imagenet:res2net50",
    file: "res2net50_v1b_26w_4s-3cf99910.pth",
    url: "https://shanghuagao.oss-cn-beijing.aliyuncs.com/res2net/res2net50_v1b_26w_4s-3cf99910.pth",
    page: "https://github.com/Res2Net/Res2Net-PretrainedModels",
    sha256: "3cf99910",
    fills: "--model pranet, cfanet, caranet",
  },
  {
    name: "imagenet:hrnet-w48",
    file: "hrnetv2_w48-abd2e6ab.pth",
    url: "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-hrnet/hrnetv2_w48-abd2e6ab.pth",
    page: "https://github.com/huggingface/pytorch-image-models/releases/tag/v0.1-hrnet",
    sha256: "abd2e6ab",
    fills: "--model hrnet, hrnet-single",
  },
  torchvision("coco:deeplabv3-resnet50", "deeplabv3_resnet50_coco-cd0a2569.pth", {
    bytes: 168_312_152,
    sha256: "cd0a25694c4a0f7106b38f4938bf90a874f2f241cc410b8f63c7024399538f06",
    fills: "--model deeplabv3; has 21 classes: --partial",
  }),
];

/** `imagenet:resnet50`, or a word before the colon that is meant so. A drive of Windows is one letter. */
const NAMED = /^[a-z]{2,}[a-z\d-]*:(?![/\\])/i;

/** Whether a text is a published file's name, known or not, and no path of a file. */
export const isPublishedName = (text: string): boolean => NAMED.test(text);

/** The file of a name such as `imagenet:resnet50`. Throws UsageError with the nearest name, or all. */
export function publishedFile(name: string, files: readonly PublishedFile[] = PUBLISHED_FILES): PublishedFile {
  const found = files.find((one) => one.name === name.toLowerCase());
  if (found) return found;
  const names = files.map((one) => one.name);
  throw new UsageError(`${name}: no published weights have this name. ${suggestion(name, names)}`);
}

/** Whether all of a file's SHA-256 is known, not only what its name says. */
export const isWholeHash = ({ sha256 }: PublishedFile): boolean => sha256.length === 64;
