import { element } from "../../dom.ts";
import { absent, type Section } from "../section.ts";

/** Maps that networks compute inside: the paper's Figures 3 to 5. */
export const featuresSection: Section = {
  id: "features",
  title: "Feature maps",
  key: ({ data }) => data.features.map(({ name, picture }) => [name, picture.length]),
  build: ({ data: { features } }) => {
    if (features.length === 0) {
      return [
        absent(
          "No maps are there: svanet features RUN IMAGE --at neck.3 guide.0-2 --out RUN/features draws them; --list names all.",
        ),
      ];
    }
    return features.map(({ name, picture }) =>
      element(
        "figure",
        { attributes: { class: "feature" } },
        element("img", { attributes: { src: picture, alt: `maps of ${name}` } }),
        element(
          "figcaption",
          {},
          element("b", {}, `${name}. `),
          "A row for each network: the image, the mean over the channels, the first channels; one linear scale of colours.",
        ),
      ),
    );
  },
};
