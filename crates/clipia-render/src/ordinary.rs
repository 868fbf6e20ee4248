//! The words that nobody expects to see in a picture: those of grammar, of style and of technique. They get no warning.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether a word in lower case and without accents names nothing to draw.
pub(super) fn is_ordinary(word: &str) -> bool {
    static ORDINARY: LazyLock<HashSet<&str>> =
        LazyLock::new(|| ORDINARY_WORDS.iter().flat_map(|words| words.split_ascii_whitespace()).collect());
    static NO_ADVERBS: LazyLock<HashSet<&str>> = LazyLock::new(|| NO_ADVERBS_IN_LY.split(' ').collect());
    let letters = word.chars().count();
    let adverb = letters > 4 && word.ends_with("ly") && !NO_ADVERBS.contains(word);
    ORDINARY.contains(word) || adverb
}

/// Words in `ly` that are no adverbs.
const NO_ADVERBS_IN_LY: &str = "assembly belly bully butterfly dragonfly family firefly grizzly jelly butterflies lily dolly anomaly monopoly homily";

/// The words, by language.
const ORDINARY_WORDS: &[&str] = &[
    // English grammar.
    "this that these those there here then than they them their theirs she her hers his him you your our ours who whom whose \
     which what when where while how why all any both each every few more most much many some such own same other another \
     between among through across along around against behind beside besides beneath below above before after during within \
     without onto upon off out again also only just even still too not nor but yet via per like because until since though \
     although have has had having been being was were will would can could should may might must shall does did doing done \
     don doesn isn aren wasn weren won shouldn couldn haven hasn hadn let lets get gets got next away back down inside outside \
     toward towards amid atop front top bottom left right middle side small little big large great old new young tall short \
     long one",
    // English verbs that say only that something is there.
    "make makes making made show shows showing shown say says saying said read reads reading written write writes see sees \
     seen seeing look looks looking seem seems feel feels feeling stand stands standing sit sits sitting set stay stays give \
     gives take takes put use using used featuring featured feature features including include includes contain contains \
     containing depict depicts depicting depicted draw draws drawn create creates generate generated please want need called \
     named labeled labelled surrounded filled covered overlooking facing",
    // Style and quality.
    "styled stylized photorealistic realism hyperrealistic hyper ultra super extremely highly detail details intricate sharp \
     focus focused crisp clear professional masterpiece award winning best resolution low res uhd hdr rendered rendering \
     octane unreal engine raytracing ray tracing cgi trending artstation deviantart concept art artistic digital wallpaper \
     background foreground backdrop composition atmosphere atmospheric ambient ambience mood moody vibe vibes aesthetic \
     aesthetics elegant gorgeous stunning pretty lovely nice amazing awesome breathtaking epic majestic dramatic dynamic serene \
     peaceful calm tranquil quiet dreamy magical mystical mysterious vivid vibrant colorful colourful colored coloured color \
     colour colors colours warm cool soft bright light lights lighting lit glow glowing luminous shadow shadows contrast \
     reflection reflections reflective reflecting field saturated muted pastel tone tones hue hues gradient texture textures textured volumetric ethereal surreal abstract fantasy \
     whimsical cozy cosy romantic nostalgic vintage retro modern contemporary classic traditional natural nature outdoor \
     outdoors scenic scenery scenes views picturesque minimal minimalist minimalistic simple clean symmetrical oil watercolor \
     watercolour acrylic gouache ink pencil sketch charcoal anime manga cartoon comic ghibli pixar disney studio impressionist \
     impressionism art deco nouveau",
    // Technique: the camera, and the frame of a text.
    "cinematography film movie still stills photography photographic photographed camera lens bokeh depth dof exposure shutter \
     iso wide angle closeup close macro telephoto aerial drone panoramic panorama portrait landscape vertical horizontal \
     centered golden hour hot air frame frames shots slow motion timelapse loop looping seamless pan panning zoom zooming zooms tracking dolly \
     handheld footage video clip animation animated poster banner cover postcard card title caption text texts word words \
     letter letters lettering font headline logo typography quote slogan reads",
    // Spanish.
    "que para por sin sobre entre hasta desde como muy mas pero este esta estos estas ese esa son hay ser estar tiene dice \
     texto cartel estilo imagen hermoso hermosa bonito bonita grande pequeno pequena viejo vieja sus unos unas bajo junto cerca \
     detras delante mientras cuando donde durante hacia",
    // French.
    "qui pour par sans sous avec comme tres plus mais cette ces cet son ses leur leurs est sont aux pres derriere devant \
     pendant vers quand elle elles ils nous vous dit texte affiche belle beau beaux grand petit petite vieux vieille chez \
     image peinture",
    // German.
    "von vom zum zur fur uber unter neben zwischen hinter vor nach bei aus durch ohne gegen wie als sehr mehr aber oder auch \
     nur noch schon einem einen einer eines dem den des sich ist sind war hat haben wird werden dass wenn bild stil plakat sagt \
     steht schone schoner schones gross grosse grosser grosses kleines kleine kleiner alte alter altes",
    // Italian.
    "che per con senza sotto tra fra molto piu questa questo questi queste della dello dei degli delle dal dalla nella nello \
     nei nelle alla allo agli alle sul sulla sui sono essere testo manifesto stile bello bella piccolo piccola vecchio vecchia \
     gli dove vicino dietro davanti verso immagine",
    // Portuguese.
    "com sem sob ate muito mais estes essa esse sao tem dos das nos nas pelo pela pelos pelas aos seu sua cartaz velho velha \
     enquanto onde perto atras imagem",
    // Russian.
    "под над при для без как так что это этот эта эти где когда очень все его или через между около возле перед который которая \
     которое стиль стиле фото картина изображение надпись надписью текст текстом плакат красивый красивая красивое большой \
     большая большое маленький маленькая маленькое старый старая старое",
];

#[cfg(test)]
mod tests {
    use super::super::prompt::folded;
    use super::*;

    #[test]
    fn words_are_as_prompts_are_compared() {
        for word in ORDINARY_WORDS.iter().flat_map(|words| words.split_ascii_whitespace()) {
            assert_eq!(folded(word), word);
        }
        assert!(is_ordinary("gently") && !is_ordinary("butterfly") && !is_ordinary("fly"));
    }
}
