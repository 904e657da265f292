//! What is known of each source of labelled lines: its licence, and what its labels leave open.

use clustertalk_moderation_wasm::model::Head;

pub struct Source {
    pub name: &'static str,
    /// Whom to name, and where the source is.
    pub title: &'static str,
    pub repository: &'static str,
    pub licence: &'static str,
    /// Its licence asks that what is made from it be under the same licence.
    pub share_alike: bool,
    /// A line that it calls toxic and not hateful is not hateful.
    pub hate_annotated: bool,
    /// How much its lines count. Less where labels are noisy or were made by a machine.
    pub weight: f32,
}

const fn source(
    name: &'static str,
    title: &'static str,
    repository: &'static str,
    licence: &'static str,
) -> Source {
    Source {
        name,
        title,
        repository,
        licence,
        share_alike: false,
        hate_annotated: false,
        weight: 1.0,
    }
}

impl Source {
    const fn hate_annotated(self) -> Source {
        Source {
            hate_annotated: true,
            ..self
        }
    }

    const fn share_alike(self) -> Source {
        Source {
            share_alike: true,
            ..self
        }
    }

    const fn weight(self, weight: f32) -> Source {
        Source { weight, ..self }
    }
}

pub const SOURCES: &[Source] = &[
    source(
        "coldataset",
        "COLDataset (Deng et al. 2022)",
        "thu-coai/COLDataset",
        "Apache-2.0",
    )
    .weight(0.7),
    source(
        "convabuse",
        "ConvAbuse (Cercas Curry et al. 2021)",
        "amandacurry/convabuse",
        "CC-BY-4.0",
    )
    .hate_annotated(),
    source(
        "davidson",
        "Hate Speech and Offensive Language (Davidson et al. 2017)",
        "t-davidson/hate-speech-and-offensive-language",
        "MIT",
    )
    .hate_annotated(),
    source(
        "discord-scams",
        "Discord scams (almostSouji)",
        "almostSouji/discord-scams",
        "MIT",
    ),
    source(
        "edos",
        "EDOS, SemEval-2023 task 10 (Kirk et al. 2023)",
        "rewire-online/edos",
        "CC0-1.0",
    ),
    source(
        "gahd",
        "GAHD (Goldzycher et al. 2024)",
        "jagol/gahd",
        "CC-BY-4.0",
    ),
    source(
        "germeval2018",
        "GermEval 2018 (Wiegand et al. 2018)",
        "uds-lsv/GermEval-2018-Data",
        "CC-BY-4.0",
    )
    .hate_annotated(),
    source(
        "goemotions",
        "GoEmotions (Demszky et al. 2020)",
        "monologg/GoEmotions-pytorch",
        "Apache-2.0",
    ),
    source(
        "hatemoji-build",
        "HatemojiBuild (Kirk et al. 2022)",
        "HannahKirk/Hatemoji",
        "CC-BY-4.0",
    ),
    source(
        "irc-ubuntu",
        "IRC disentanglement (Kummerfeld et al. 2019)",
        "jkkummerfeld/irc-disentanglement",
        "CC-BY-4.0",
    ),
    source(
        "ja-toxic",
        "Japanese toxic dataset (Inspection AI)",
        "inspection-ai/japanese-toxic-dataset",
        "Apache-2.0",
    ),
    source(
        "kocohub",
        "Korean hate speech (Moon et al. 2020)",
        "kocohub/korean-hate-speech",
        "CC-BY-SA-4.0",
    )
    .share_alike()
    .hate_annotated(),
    source(
        "mlma",
        "MLMA hate speech (Ousidhoum et al. 2019)",
        "HKUST-KnowComp/MLMA_hate_speech",
        "MIT",
    )
    .hate_annotated(),
    source(
        "paradetox",
        "ParaDetox (Logacheva et al. 2022)",
        "s-nlp/paradetox",
        "CC0-1.0",
    ),
    source(
        "roman-urdu",
        "RUHSOLD (Rizwan et al. 2020)",
        "haroonshakeel/roman_urdu_hate_speech",
        "MIT",
    )
    .hate_annotated(),
    source(
        "ru-alla-g",
        "Russian distorted toxicity (A. Gorbunova)",
        "alla-g/toxicity-detection-thesis",
        "MIT",
    ),
    source(
        "ru-goemotions",
        "Russian GoEmotions (searayeah)",
        "searayeah/ru-goemotions",
        "MIT",
    ),
    source(
        "rudetoxifier",
        "RuDetoxifier (Dementieva et al. 2021)",
        "s-nlp/rudetoxifier",
        "MIT",
    ),
    source(
        "sms-spam",
        "SMS Spam Collection (Almeida et al. 2011)",
        "mohitgupta-1O1/Kaggle-SMS-Spam-Collection-Dataset-",
        "Apache-2.0 (UCI: CC-BY-4.0)",
    ),
    source(
        "stormfront",
        "Hate speech from a white supremacy forum (de Gibert et al. 2018)",
        "Vicomtech/hate-speech-dataset",
        "CC-BY-SA-3.0-ES",
    )
    .share_alike(),
    source(
        "told-br",
        "ToLD-Br (Leite et al. 2020)",
        "JAugusto97/ToLD-Br",
        "CC-BY-SA-4.0",
    )
    .share_alike()
    .hate_annotated(),
    source(
        "toxic-spans",
        "Toxic Spans, SemEval-2021 task 5 (Pavlopoulos et al. 2021)",
        "ipavlopoulos/toxic_spans",
        "CC0-1.0",
    ),
    source(
        "wiki-cat",
        "Context toxicity (Pavlopoulos et al. 2020)",
        "ipavlopoulos/context_toxicity",
        "Apache-2.0",
    ),
    source(
        "wiki-jigsaw",
        "Unintended bias analysis, Detoxify (Jigsaw)",
        "conversationai/unintended-ml-bias-analysis",
        "Apache-2.0",
    ),
];

/// Template-made lines that come with the data, and those of `templates/`.
const OWN: Source = source("own", "ClusterTalk", "", "CC0-1.0");

pub fn find(name: &str) -> &'static Source {
    let found = SOURCES.iter().find(|source| source.name == name);
    found.unwrap_or(&OWN)
}

/// What a line says of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Yes,
    No,
    /// Nobody looked: the line is left out of the head's training and figures.
    Open,
}

/// Labels as they stand in the data: `toxic,hate`, or `clean`.
pub fn truth(source: &Source, labels: &str, head: Head) -> Truth {
    let has = |label: Head| labels.split(',').any(|name| name == label.name());
    if has(head) {
        return Truth::Yes;
    }
    if labels == "clean" {
        return Truth::No;
    }
    // What is left is a line with another label: only what its source looked at is known.
    match head {
        Head::Hate if has(Head::Toxic) && source.hate_annotated => Truth::No,
        Head::Hate | Head::Threat | Head::Toxic if source.name == OWN.name && !has(Head::Toxic) => {
            match (head, has(Head::Sexual)) {
                (Head::Toxic, true) => Truth::Open,
                _ => Truth::No,
            }
        }
        _ => Truth::Open,
    }
}
