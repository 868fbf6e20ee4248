//! The words that the renderer knows, in several languages. An entry with `*` at its end matches every word that begins with it.
//! Accents are removed before the comparison. An entry in a script without spaces matches anywhere in a word.

use super::colour::Colour;
use super::palette::Mood;
use Meaning::{Blank, In, Place, Sign, Thing, Tint, Weather};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The meaning of a word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    In(Mood),
    Place(Where),
    Thing(Subject),
    Weather(Sort),
    Sign(InSky),
    /// A colour, `0xrrggbb`, of the thing next to it. Alone, it is the colour of the whole scene.
    Tint(u32),
    /// A word of grammar or of style. It draws nothing.
    Blank,
}

/// The land of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Where {
    Sea,
    Waves,
    Lake,
    Forest,
    City,
    Desert,
    Snow,
    Meadow,
    Mountains,
    Orbit,
}

/// A thing in the foreground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Lighthouse,
    Fox,
    Cat,
    Birds,
    Sailboat,
    Ship,
    Tree,
    House,
    Whale,
    Balloon,
    Robot,
    Flowers,
    Rocket,
    Deer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    Rain,
    Snow,
    Fog,
    Lightning,
}

/// A thing in the sky.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum InSky {
    Sun,
    Moon,
    Stars,
    Clouds,
    Aurora,
}

impl Meaning {
    pub(super) fn colour(self) -> Option<Colour> {
        match self {
            Tint(rgb) => Some(Colour::hex(rgb)),
            _ => None,
        }
    }
}

/// The entries of [`WORDS`], each with its position there.
#[derive(Default)]
struct Index {
    /// The entries in other scripts that are whole words.
    exact: HashMap<&'static str, (usize, Meaning)>,
    /// Those with `*` at their end, without it.
    stems: HashMap<&'static str, (usize, Meaning)>,
    /// The entries in a script without spaces, in order.
    spaceless: Vec<(usize, Meaning, &'static str)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::default();
    let entries = WORDS
        .iter()
        .flat_map(|(meaning, list)| list.split_ascii_whitespace().map(move |entry| (*meaning, entry)));
    for (position, (meaning, entry)) in entries.enumerate() {
        if entry.starts_with(is_spaceless) {
            index.spaceless.push((position, meaning, entry));
            continue;
        }
        let (list, entry) = match entry.strip_suffix('*') {
            Some(stem) => (&mut index.stems, stem),
            None => (&mut index.exact, entry),
        };
        list.entry(entry).or_insert((position, meaning));
    }
    index
});

/// The meanings of a word in lower case and without accents: those of all entries inside it in a script without spaces, otherwise
/// that of the first entry that matches it, if one does.
pub(super) fn meanings_of(word: &str) -> Vec<Meaning> {
    let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
    let stems = ends.filter_map(|end| INDEX.stems.get(&word[..end]));
    let first = INDEX.exact.get(word).into_iter().chain(stems).min_by_key(|(position, _)| *position);
    if !word.contains(is_spaceless) {
        return first.map(|(_, meaning)| *meaning).into_iter().collect();
    }
    let last = first.map_or(usize::MAX, |(position, _)| *position);
    let inside =
        INDEX.spaceless.iter().filter(|(position, _, entry)| *position < last && word.contains(entry));
    inside.map(|(_, meaning, _)| *meaning).chain(first.map(|(_, meaning)| *meaning)).collect()
}

/// Whether a character is Han, kana or hangul. These are written without spaces, or with endings attached to the word.
pub(super) fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// The words by their meaning. The first entry that matches a word counts.
pub(super) const WORDS: &[(Meaning, &str)] = &[
    (
        Blank,
        "a an the in on at of and with by to from over under near its it is are for into as un una el la los las en de \
     del con y le les des du et dans sur avec der die das ein eine und im mit am auf il lo di uno nel su o os um uma no na \
     photo photograph picture image drawing painting illustration style cinematic beautiful detailed realistic 4k 8k hd \
     high quality artwork shot view scene render very",
    ),
    (
        In(Mood::Dawn),
        "dawn sunrise morning amanecer aube matin morgen* alba amanhecer рассвет* 朝 日出 夜明け",
    ),
    (
        In(Mood::Dusk),
        "dusk sunset evening twilight golden atardecer ocaso crepusculo coucher crepuscule soir abend* \
     sonnenuntergang dammerung tramonto закат* 夕 日落 黄昏 노을",
    ),
    (In(Mood::Night), "night nights midnight nocturnal noche nuit nacht notte noite ночь* ноч* 夜 밤 dark"),
    (
        In(Mood::Day),
        "day noon sunny summer dia verano jour ete tag sommer giorno estate verao день летo 昼 夏 tropical*",
    ),
    (
        In(Mood::Storm),
        "storm* tempest tormenta tempestad tempete orage sturm* gewitter tempesta tempestade буря шторм* 嵐 暴风 \
     hurricane",
    ),
    (
        In(Mood::Winter),
        "winter* invierno hiver inverno зим* 冬 frost* ice icy frozen hielo glace eis arctic antarctic*",
    ),
    (In(Mood::Autumn), "autumn* fall otono automne herbst autunno outono осень осенн* 秋 harvest"),
    (In(Mood::Spring), "spring primavera printemps fruhling весна 春"),
    (In(Mood::Neon), "neon* cyber* cyberpunk synthwave vaporwave futuristic arcade disco ネオン 霓虹"),
    (
        Place(Where::Orbit),
        "space galax* planet* cosm* universe espacio cosmos espace weltraum spazio космос 宇宙 astronaut* nebula* \
     mars asteroid* orbit* saturn jupiter",
    ),
    (Place(Where::Waves), "wave waves surf* swell olas ola vague* welle* onda* onde волн* 波 파도"),
    (
        Place(Where::Sea),
        "sea seas ocean* mar oceano mer meer ozean mare море 海 바다 coast* beach playa plage strand spiaggia praia \
     island* isla harbor harbour bay underwater fjord* cliff* shore*",
    ),
    (Place(Where::Lake), "lake* river* pond lago lac fluss rio riviere fiume озеро 湖 川 reflection*"),
    (
        Place(Where::Forest),
        "forest* wood woods woodland jungle bosque foret wald foresta bosco floresta selva лес лесу 森 林 숲 taiga",
    ),
    (
        Place(Where::City),
        "city cities town skyline street* downtown urban metropolis ciudad ville stadt citta cidade город* 市 街 都市 \
     도시 skyscraper* tokyo york london paris",
    ),
    (
        Place(Where::Desert),
        "desert* dune* sahara desierto wuste deserto пустын* 砂漠 沙漠 sand canyon* cactus oasis",
    ),
    (Place(Where::Snow), "glacier* tundra iceberg* polar"),
    (
        Place(Where::Meadow),
        "meadow* field* grass* hill* prairie pradera campo prairies champ* wiese* feld prato collin* colina* \
     valley* garden jardin garten giardino jardim поле 野 farm*",
    ),
    (
        Place(Where::Mountains),
        "mountain* peak* alps alpine summit montana* montagne* berg* gebirge montagna monte montanha* гор* 山 산 \
     everest fuji andes volcano*",
    ),
    (Thing(Subject::Lighthouse), "lighthouse* faro phare leuchtturm farol маяк* 灯台 灯塔 등대 beacon"),
    (
        Thing(Subject::Fox),
        "fox foxes zorro zorra renard fuchs volpe raposa лис* 狐 여우 wolf wolves lobo loup dog coyote",
    ),
    (Thing(Subject::Cat), "cat cats kitten* gato gata gatito chat chaton katze* gatto кот кошк* 猫 고양이"),
    (
        Thing(Subject::Birds),
        "bird* seagull* gull* crane* swallow* geese raven* crow* eagle* pajaro* ave aves oiseau* vogel* uccell* \
     passaro* птиц* 鳥 鸟 새",
    ),
    (
        Thing(Subject::Sailboat),
        "boat* sail* yacht* barco velero bateau* voilier* boot segelboot barca vela лодк* парус* 舟 帆 \
     kayak canoe",
    ),
    (Thing(Subject::Ship), "ship* vessel ferry cruise steamer buque navire schiff* nave navio кораб* 船 배"),
    (
        Thing(Subject::Tree),
        "tree* oak willow sakura cherry maple arbol* arbre* baum* albero alberi arvore* дерев* 木 樹 나무",
    ),
    (
        Thing(Subject::House),
        "house* cabin* cottage hut home casa cabana maison chalet haus hutte capanna дом домик* изба 家 房子 집 \
     village barn",
    ),
    (Thing(Subject::Whale), "whale* orca dolphin* ballena baleine* wal balena baleia кит киты 鯨 鲸 고래"),
    (Thing(Subject::Balloon), "balloon* globo* ballon* heissluftballon mongolfier* balao* шар* 気球 气球"),
    (Thing(Subject::Robot), "robot* android* droid mech роб* ロボット 机器人 로봇"),
    (
        Thing(Subject::Flowers),
        "flower* rose roses tulip* daisy daisies poppy poppies sunflower* blossom* flor flores fleur* blume* fiore \
     fiori цвет* 花 꽃 lavender",
    ),
    (
        Thing(Subject::Rocket),
        "rocket* spaceship* spacecraft shuttle cohete fusee rakete razzo foguete ракет* ロケット 火箭",
    ),
    (
        Thing(Subject::Deer),
        "deer stag elk moose reindeer ciervo cerf hirsch cervo олен* 鹿 사슴 antelope unicorn horse",
    ),
    (Weather(Sort::Rain), "rain* lluvia pluie regen pioggia chuva дожд* 雨 drizzle monsoon"),
    (Weather(Sort::Snow), "snow* nieve nevad* neige schnee neve снег* 雪 눈 blizzard"),
    (
        Weather(Sort::Fog),
        "fog* mist* haze niebla bruma brume brouillard nebel nebbia neblina nevoa туман* 霧 雾",
    ),
    (Weather(Sort::Lightning), "lightning thunder* relampago* rayo eclair foudre blitz* fulmine молни* 雷"),
    (Sign(InSky::Sun), "sun sol soleil sonne sole солнц* 太陽"),
    (Sign(InSky::Moon), "moon* luna lune mond lua лун* 月"),
    (
        Sign(InSky::Stars),
        "star stars starry starlit starlight estrella* etoile* stern* stell* estrela* звезд* 星 milky constellation*",
    ),
    (Sign(InSky::Clouds), "cloud* nube* nuage* wolke* nuvol* nuvem облак* 雲 云"),
    (Sign(InSky::Aurora), "aurora* borealis northern polarlicht* 极光 オーロラ"),
    (Tint(0xd8402a), "red rojo roja rouge rot* rosso rossa vermelho красн* 赤 红 crimson scarlet"),
    (Tint(0xee8a2c), "orange naranja arancione laranja оранжев* amber"),
    (Tint(0xf2c53d), "yellow amarill* jaune gelb* giallo amarelo желт* 黄 gold"),
    (Tint(0x4fa64f), "green verde vert grun* зелен* 緑 绿 emerald"),
    (Tint(0x2f6fd0), "blue azul bleu* blau* blu azzurr* син* голуб* 青 蓝"),
    (Tint(0x8a4fd0), "purple violet* morad* purpura lila viola roxo фиолет* 紫"),
    (Tint(0xf07fae), "pink ros* розов* 桃"),
    (Tint(0xf4f2ee), "white blanc* weiss* bianc* branc* бел* 白"),
    (Tint(0x24242c), "black negr* noir* schwarz* nero nera pret* черн* 黒 黑"),
    (Tint(0x8a5a38), "brown marron brun braun* marrone коричн* 茶"),
    (Tint(0x9aa2ac), "grey gray gris grau* grigi* cinza сер* 灰 silver"),
    (Tint(0x27b3a8), "teal turquoise turquesa cyan"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The meanings of a word by reading all entries in order.
    fn by_reading_all(word: &str) -> Vec<Meaning> {
        let mut found = vec![];
        let entries = WORDS
            .iter()
            .flat_map(|(meaning, list)| list.split_ascii_whitespace().map(move |entry| (*meaning, entry)));
        for (meaning, entry) in entries {
            let fits = entry.strip_suffix('*').map_or(word == entry, |stem| word.starts_with(stem));
            if word.contains(is_spaceless) && entry.starts_with(is_spaceless) {
                found.extend(word.contains(entry).then_some(meaning));
            } else if fits {
                found.push(meaning);
                break;
            }
        }
        found
    }

    #[test]
    fn the_index_finds_what_reading_all_entries_finds() {
        let entries = WORDS.iter().flat_map(|(_, list)| list.split_ascii_whitespace());
        for entry in entries.map(|entry| entry.trim_end_matches('*')) {
            for word in [entry.to_owned(), format!("{entry}s"), format!("{entry}猫海"), format!("夜{entry}")]
            {
                assert_eq!(meanings_of(&word), by_reading_all(&word), "{word}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_it_for_any_word(word in "[a-zа-я猫海夜山空]{1,8}|\\PC{1,8}") {
            prop_assert_eq!(meanings_of(&word), by_reading_all(&word));
        }
    }
}
