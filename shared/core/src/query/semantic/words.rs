//! The words that are known.

use super::Reader;
use super::token::Kind;

/// After "in" and the like, in lower case, these say what is seen rather than where.
#[rustfmt::skip] // It would put each word on a line of its own.
pub(super) const IS_NO_PLACE: &[&str] = &[
    "above", "action", "afternoon", "air", "airport", "autumn", "back", "background", "bathroom", "beach",
    "bed", "bedroom", "behind", "below", "black", "blue", "boat", "breakfast", "camera", "car", "christmas",
    "church", "city", "class", "clouds", "color", "colour", "concert", "costume", "dark", "darkness",
    "dawn", "dinner", "door", "dusk", "evening", "fall", "field", "flight", "flowers", "fog", "forest",
    "front", "full", "garden", "gold", "grass", "green", "grey", "gray", "ground", "hd", "high", "home",
    "hospital", "hotel", "house", "indoors", "iphone", "kitchen", "lake", "landscape", "light", "love",
    "low", "lunch", "market", "mirror", "mist", "monochrome", "moonlight", "morning", "motion", "mountains",
    "museum", "nature", "night", "noon", "ocean", "office", "orange", "outdoors", "park", "party", "phone",
    "pink", "playground", "pool", "portrait", "public", "purple", "rain", "red", "restaurant", "river",
    "school", "sea", "sepia", "shadow", "shade", "silhouette", "sky", "slow", "snow", "spring", "station",
    "storm", "street", "summer", "sun", "sunlight", "sunrise", "sunset", "sunshine", "theater", "theatre",
    "town", "traffic", "trees", "uniform", "university", "water", "wedding", "white", "wild", "wind",
    "window", "winter", "woods", "work", "yellow", "zoo",
];

/// Names in lower case that have an article.
#[rustfmt::skip] // It would put each word on a line of its own.
pub(super) const NAMED_WITH_THE: &[&str] = &[
    "alps", "andes", "azores", "bahamas", "balkans", "bronx", "caribbean", "dolomites", "hague",
    "himalayas", "maldives", "netherlands", "philippines", "pyrenees", "rockies", "sahara", "seychelles",
    "uae", "uk", "usa",
];

/// 在X的, X的: what is seen rather than where.
#[rustfmt::skip] // It would put each word on a line of its own.
pub(super) const IS_NO_PLACE_HAN: &[&str] = &[
    "海边", "海滩", "沙滩", "海上", "大海", "水里", "水下", "雪地", "雪山", "高山", "大山", "火山", "山上",
    "山顶", "家", "室内", "室外", "户外", "公园", "花园", "校园", "学校", "教室", "办公室", "公司",
    "动物园", "植物园", "幼儿园", "游乐园", "医院", "酒店", "餐厅", "饭店", "厨房", "商场", "超市", "机场",
    "车站", "地铁", "车上", "飞机", "船上", "街", "马路", "路边", "桥上", "草地", "森林", "树", "湖边",
    "河边", "江边", "城市", "乡村", "农村", "夜", "晚上", "早上", "白天", "一起", "雨", "阳光", "天空",
    "床上", "大桥", "公路", "外国", "全国",
];

/// 的 follows them and no place is meant.
#[rustfmt::skip] // It would put each word on a line of its own.
pub(super) const QUALITIES_HAN: &[&str] = &[
    "色", "美丽", "漂亮", "好看", "可爱", "美好", "壮观", "迷人", "不同", "最", "很", "非常", "安静",
    "热闹", "古老", "现代", "传统", "宏伟", "浪漫", "难忘", "精彩", "大自然", "自然", "拍", "下", "有",
    "没", "戴", "穿", "骑", "跑", "跳", "睡", "站", "坐", "躺", "抱", "吃", "喝", "拿", "开", "妈妈",
    "爸爸", "孩子", "宝宝", "朋友", "同学", "家人", "老师", "清晨", "黄昏", "傍晚", "夜晚", "早晨", "日落",
    "日出",
];

/// What places are photographed for: a name is likely before it.
#[rustfmt::skip] // It would put each word on a line of its own.
pub(super) const SIGHTS_HAN: &[&str] = &[
    "风景", "风光", "夜景", "景色", "景点", "美景", "雪景", "街景", "街道", "街头", "美食", "小吃", "建筑",
    "古镇", "古城", "老街", "夜市", "天空", "日落", "日出", "夕阳", "春天", "夏天", "秋天", "冬天", "大学",
    "公园", "寺庙", "博物馆", "旅游", "旅行", "之旅", "之行", "城市", "樱花", "海滩", "海边", "沙滩", "雪",
    "雨", "夜晚", "地铁", "机场",
];

/// Endings of names of three characters and more.
pub(super) const PLACE_ENDINGS_HAN: &[char] = &[
    '市', '省', '县', '区', '州', '国', '岛', '镇', '村', '城', '湾', '湖', '山', '江', '河', '海', '寺',
    '宫', '塔', '桥', '街', '路', '港', '峡', '谷', '滩',
];

/// Names that are recognised without anything around them: provinces, large
/// cities, places that people travel to, countries.
#[rustfmt::skip] // It would put each word on a line of its own.
pub(super) const KNOWN_HAN: &[&str] = &[
    "北京", "上海", "天津", "重庆", "香港", "澳门", "台湾", "台北", "高雄", "河北", "山西", "辽宁", "吉林",
    "黑龙江", "江苏", "浙江", "安徽", "福建", "江西", "山东", "河南", "湖北", "湖南", "广东", "海南",
    "四川", "贵州", "云南", "陕西", "甘肃", "青海", "内蒙古", "广西", "西藏", "宁夏", "新疆", "石家庄",
    "太原", "沈阳", "大连", "长春", "哈尔滨", "南京", "苏州", "无锡", "扬州", "徐州", "杭州", "宁波",
    "温州", "绍兴", "嘉兴", "乌镇", "合肥", "黄山", "福州", "厦门", "泉州", "南昌", "景德镇", "婺源",
    "庐山", "济南", "青岛", "烟台", "威海", "泰山", "郑州", "洛阳", "开封", "武汉", "宜昌", "长沙",
    "张家界", "凤凰古城", "广州", "深圳", "珠海", "佛山", "东莞", "海口", "三亚", "成都", "乐山", "峨眉山",
    "九寨沟", "稻城", "贵阳", "昆明", "大理", "丽江", "香格里拉", "西双版纳", "拉萨", "西安", "华山",
    "兰州", "敦煌", "西宁", "青海湖", "银川", "乌鲁木齐", "喀什", "呼和浩特", "呼伦贝尔", "南宁", "桂林",
    "阳朔", "北海", "西湖", "长城", "故宫", "颐和园", "外滩", "中国", "日本", "东京", "京都", "大阪",
    "奈良", "北海道", "冲绳", "富士山", "韩国", "首尔", "济州岛", "朝鲜", "蒙古", "泰国", "曼谷", "清迈",
    "普吉岛", "越南", "柬埔寨", "吴哥窟", "老挝", "缅甸", "新加坡", "马来西亚", "吉隆坡", "印度尼西亚",
    "印尼", "巴厘岛", "菲律宾", "印度", "尼泊尔", "斯里兰卡", "马尔代夫", "迪拜", "土耳其", "伊斯坦布尔",
    "以色列", "埃及", "开罗", "摩洛哥", "肯尼亚", "南非", "俄罗斯", "莫斯科", "英国", "伦敦", "爱丁堡",
    "法国", "巴黎", "德国", "柏林", "慕尼黑", "意大利", "罗马", "威尼斯", "佛罗伦萨", "米兰", "西班牙",
    "巴塞罗那", "马德里", "葡萄牙", "里斯本", "荷兰", "阿姆斯特丹", "比利时", "瑞士", "苏黎世", "奥地利",
    "维也纳", "布拉格", "匈牙利", "布达佩斯", "希腊", "雅典", "冰岛", "挪威", "瑞典", "芬兰", "丹麦",
    "哥本哈根", "波兰", "美国", "纽约", "洛杉矶", "旧金山", "芝加哥", "西雅图", "波士顿", "华盛顿",
    "拉斯维加斯", "夏威夷", "阿拉斯加", "加拿大", "温哥华", "多伦多", "墨西哥", "古巴", "巴西",
    "里约热内卢", "阿根廷", "智利", "秘鲁", "澳大利亚", "澳洲", "悉尼", "墨尔本", "新西兰", "奥克兰",
    "欧洲", "非洲", "亚洲", "南极",
];

/// Words that end the name of a place.
pub(super) fn is_preposition(word: &str) -> bool {
    matches!(
        word,
        "in" | "at"
            | "near"
            | "nearby"
            | "from"
            | "around"
            | "on"
            | "to"
            | "of"
            | "with"
            | "without"
            | "by"
            | "for"
            | "and"
            | "or"
            | "during"
            | "before"
            | "after"
            | "since"
            | "until"
            | "till"
            | "between"
            | "inside"
            | "outside"
            | "across"
            | "within"
            | "along"
            | "over"
            | "under"
            | "through"
            | "throughout"
            | "into"
            | "about"
            | "behind"
            | "against"
            | "while"
            | "where"
            | "when"
            | "that"
            | "which"
            | "is"
            | "are"
            | "was"
            | "were"
            | "last"
            | "this"
            | "past"
            | "the"
            | "a"
            | "an"
            | "visiting"
    )
}

/// Words that ask for nothing.
pub(super) fn is_stop_word(word: &str) -> bool {
    (is_preposition(word) && word != "without")
        || matches!(
            word,
            "my" | "our"
                | "your"
                | "his"
                | "her"
                | "their"
                | "its"
                | "i"
                | "me"
                | "we"
                | "us"
                | "you"
                | "he"
                | "she"
                | "they"
                | "it"
                | "i'm"
                | "i've"
                | "taken"
                | "took"
                | "take"
                | "shot"
                | "captured"
                | "recorded"
                | "photographed"
                | "filmed"
                | "made"
                | "created"
                | "show"
                | "find"
                | "search"
                | "get"
                | "give"
                | "look"
                | "looking"
                | "list"
                | "display"
                | "see"
                | "want"
                | "need"
                | "all"
                | "any"
                | "some"
                | "every"
                | "please"
                | "be"
                | "been"
                | "am"
                | "do"
                | "did"
                | "does"
                | "have"
                | "has"
                | "had"
                | "can"
                | "could"
                | "would"
                | "like"
                | "as"
                | "these"
                | "those"
                | "there"
                | "here"
                | "what"
                | "who"
                | "only"
                | "just"
                | "containing"
                | "contains"
                | "showing"
                | "file"
                | "files"
                | "recent"
                | "recently"
                | "latest"
                | "earlier"
                | "later"
                | "ago"
                | "also"
                | "which"
                | "s"
        )
}

fn media_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "photo" | "photos" | "photograph" | "photographs" | "picture" | "pictures" | "image" | "images"
        | "pic" | "pics" | "screenshot" | "screenshots" | "snapshot" | "snapshots" | "selfie" | "selfies"
        | "jpg" | "jpeg" | "png" | "gif" | "gifs" | "heic" => "image",
        "video" | "videos" | "movie" | "movies" | "film" | "films" | "clip" | "clips" | "footage" | "mp4"
        | "mov" => "video",
        "song" | "songs" | "music" | "audio" | "audios" | "recording" | "recordings" | "podcast"
        | "podcasts" | "mp3" | "wav" | "flac" => "audio",
        "document" | "documents" | "pdf" | "pdfs" | "spreadsheet" | "spreadsheets" | "presentation"
        | "presentations" | "docx" | "xlsx" | "pptx" => "document",
        "archive" | "archives" | "zip" | "zips" | "rar" | "7z" => "archive",
        _ => return None,
    })
}

/// What makes another word of a medium: 电影院, 音乐会.
const CONTINUED: &[char] = &['院', '会', '节', '厅', '馆', '墙', '家', '剧', '手', '器', '展', '课'];

const MEDIA_HAN: &[(&str, &[&str])] = &[
    ("image", &["照片", "相片", "图片", "图像", "截图", "截屏", "自拍照"]),
    ("video", &["视频", "录像", "影片", "电影", "短片"]),
    ("audio", &["音乐", "歌曲", "音频", "录音", "播客"]),
    ("document", &["文档", "电子表格", "幻灯片", "演示文稿"]),
    ("archive", &["压缩包", "压缩文件"]),
];

/// Longer ones come before those that they begin with.
#[rustfmt::skip] // It would put each word on a line of its own.
const STOP_HAN: &[&str] = &[
    "拍摄的", "拍摄于", "拍摄", "拍的", "拍了", "拍下的", "拍过的", "拍到的", "拍", "摄于", "摄的", "照的",
    "录制的", "录制", "录的", "所有的", "所有", "全部的", "全部", "我们的", "我们", "我的", "我", "你的",
    "你", "他的", "她的", "他们的", "给我看看", "给我看", "给我", "帮我", "看看", "看一下", "找一下",
    "找找", "找出", "找到", "查找", "寻找", "搜索", "查询", "查看", "显示", "列出", "找", "请", "想看",
    "想要", "一些", "一下", "一张", "一段", "一首", "几张", "几段", "哪些", "那些", "这些", "那张", "这张",
    "那个", "这个", "关于", "包含", "带有", "最近", "近期", "现在", "时候", "期间", "文件", "里面", "的",
    "了", "在", "从", "有", "是", "吧", "吗", "呢",
];

impl Reader<'_> {
    /// The media type that a word names, and the token after it.
    pub(super) fn media(&self, i: usize) -> Option<(&'static str, usize)> {
        match self.kind(i)? {
            Kind::Word => Some((media_word(self.word(i))?, i + 1)),
            Kind::Han('歌') => {
                // Mostly part of longer words: 歌剧, 儿歌.
                let is_whole = self.han(i + 1).is_none()
                    && i.checked_sub(1)
                        .and_then(|before| self.han(before))
                        .is_none_or(|c| matches!(c, '的' | '首'));
                is_whole.then_some(("audio", i + 1))
            }
            Kind::Han(_) => {
                let (media, end) =
                    MEDIA_HAN.iter().find_map(|(media, texts)| Some((*media, self.starts_any(i, texts)?)))?;
                let is_other = self.han(end).is_some_and(|c| CONTINUED.contains(&c));
                (!is_other).then_some((media, end))
            }
            _ => None,
        }
    }

    /// The token after a stop word.
    pub(super) fn stop_word(&self, i: usize) -> Option<usize> {
        match self.kind(i)? {
            // A possessive: "Anna's" is no stop word, but "it's" is.
            Kind::Word => is_stop_word(self.word(i)).then_some(i + 1),
            Kind::Han('和' | '与' | '及' | '或') => {
                // 和 joins; 和平 and 和服 are words.
                let is_word = matches!(self.han(i + 1), Some('平' | '服' | '尚' | '谐' | '田'));
                (!is_word).then_some(i + 1)
            }
            Kind::Han('张' | '个' | '段' | '首' | '部' | '份') => {
                let before = i.checked_sub(1).and_then(|before| self.kind(before));
                matches!(before, Some(Kind::Number(..))).then_some(i + 1)
            }
            Kind::Han(_) => self.starts_any(i, STOP_HAN),
            _ => None,
        }
    }
}
