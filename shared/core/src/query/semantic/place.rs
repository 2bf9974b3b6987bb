//! Places, by the words around them: there is no gazetteer but for a few Chinese
//! names, as Chinese neither marks a name nor always puts 在 before it.

use super::Reader;
use super::token::Kind;
use super::words::{
    IS_NO_PLACE, IS_NO_PLACE_HAN, KNOWN_HAN, NAMED_WITH_THE, PLACE_ENDINGS_HAN, QUALITIES_HAN, SIGHTS_HAN,
    is_preposition, is_stop_word,
};

/// No name of a place has more words.
const MAX_WORDS: usize = 6;
/// No Chinese name of a place has more characters.
const MAX_CHARACTERS: usize = 16;

/// Places, or words that turn out to be none, and the token after them.
pub(super) struct Where {
    pub(super) places: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) end: usize,
}

impl Where {
    fn new(end: usize) -> Self {
        Self { places: Vec::new(), labels: Vec::new(), end }
    }
}

impl Reader<'_> {
    /// The place that begins at a token, with its preposition.
    pub(super) fn place(&self, i: usize) -> Option<Where> {
        if self.han(i).is_some() { self.place_han(i) } else { self.place_after_preposition(i) }
    }

    fn place_after_preposition(&self, i: usize) -> Option<Where> {
        let needs_capital = match self.word(i) {
            "in" | "at" | "near" | "nearby" | "from" | "around" => false,
            "on" | "to" | "inside" | "outside" | "across" | "within" | "throughout" | "along"
            | "visiting" => true,
            _ => return None,
        };
        let mut j = i + 1;
        if self.han(j).is_some() {
            return self.run_after_preposition(j);
        }
        let is_definite = self.word(j) == "the";
        if is_definite {
            j += 1;
        }
        if self.is_capital(j) {
            let mut found = Where::new(self.capitals(j));
            // "From Anna's wedding" names a person; "at St. Mary's" ends with it.
            if self.between(j, found.end).ends_with(['s', 'S'])
                && self
                    .between(j, found.end)
                    .to_lowercase()
                    .trim_end_matches('s')
                    .ends_with(['\'', '\u{2019}'])
                && self.kind(found.end) == Some(Kind::Word)
                && !is_stop_word(self.word(found.end))
            {
                return None;
            }
            found.places.push(self.name(j, found.end)?);
            // "Paris, France"; "Paris and London".
            while found.places.len() < MAX_WORDS {
                let joined =
                    self.mark(found.end) == Some(',') || matches!(self.word(found.end), "and" | "or");
                let next = found.end + 1;
                if !joined || !self.is_capital(next) || is_stop_word(self.word(next)) {
                    break;
                }
                let end = self.capitals(next);
                let Some(name) = self.name(next, end) else { break };
                found.places.push(name);
                found.end = end;
            }
            return Some(found);
        }
        if needs_capital || (is_definite && !NAMED_WITH_THE.contains(&self.word(j))) {
            return None;
        }
        let mut end = j;
        while end < j + MAX_WORDS && self.is_name_word(end) && !is_stop_word(self.word(end)) {
            end = self.hyphenated(end);
        }
        let mut found = Where::new(end);
        found.places.push(self.name(j, end)?);
        Some(found)
    }

    /// The text of a name; none where it is known to be something else, unless
    /// capitals say that it is a name after all: "Lake Como".
    fn name(&self, from: usize, end: usize) -> Option<String> {
        let is_named = end > from + 1 && (self.is_capital(from) || self.word(from) == "lake");
        let is_no_place = !is_named && IS_NO_PLACE.contains(&self.word(from));
        (end > from && !is_no_place).then(|| self.between(from, end).to_owned())
    }

    /// Whether the word may be part of a name.
    fn is_name_word(&self, i: usize) -> bool {
        self.kind(i) == Some(Kind::Word)
            && !is_preposition(self.word(i))
            && self.media(i).is_none()
            && self.time(i).is_none()
    }

    fn is_capital(&self, i: usize) -> bool {
        self.is_name_word(i) && self.between(i, i + 1).starts_with(char::is_uppercase)
    }

    /// The token after words with capitals and the particles between them.
    fn capitals(&self, from: usize) -> usize {
        let mut end = self.hyphenated(from);
        while end < from + MAX_WORDS {
            let is_particle = matches!(
                self.word(end),
                "of" | "de"
                    | "del"
                    | "della"
                    | "di"
                    | "da"
                    | "do"
                    | "dos"
                    | "la"
                    | "le"
                    | "les"
                    | "el"
                    | "al"
                    | "am"
                    | "an"
                    | "der"
                    | "den"
                    | "upon"
                    | "sur"
                    | "the"
            );
            // "St. Louis".
            let is_dot =
                self.mark(end) == Some('.') && self.glued(end) && self.between(end - 1, end).len() < 4;
            let next = if is_particle || is_dot { end + 1 } else { end };
            let next = if is_particle { self.skip(next, &["the", "la"]) } else { next };
            if !self.is_capital(next) {
                break;
            }
            end = self.hyphenated(next);
        }
        end
    }

    /// The token after the run of Chinese from here, or of Japanese kana, which
    /// ends at 的, 在, a verb of making pictures, a medium or a time.
    pub(super) fn han_run(&self, from: usize) -> usize {
        let is_end = |end: usize| match self.han(end) {
            None | Some('的' | '在' | '拍') => true,
            Some('摄') => self.starts_any(end, &["摄于", "摄的"]).is_some(),
            Some('录') => self.starts_any(end, &["录制", "录的"]).is_some(),
            _ => end > from && (self.media(end).is_some() || self.time(end).is_some()),
        };
        let mut end = from;
        while !is_end(end) {
            end += 1;
        }
        end
    }

    fn place_han(&self, i: usize) -> Option<Where> {
        if self.han(i) == Some('在') {
            if self.kind(i + 1) == Some(Kind::Word) {
                let mut end = i + 1;
                while end < i + MAX_WORDS && self.is_name_word(end) {
                    end = self.hyphenated(end);
                }
                let mut found = Where::new(end);
                found.places.push(self.name(i + 1, end)?);
                return Some(found);
            }
            return self.run_after_preposition(i + 1);
        }
        // 去云南旅游: only before a name that is known, as 去 and 到 are verbs as well.
        if matches!(self.han(i), Some('去' | '到'))
            && KNOWN_HAN.iter().any(|name| self.starts(i + 1, name).is_some())
        {
            return self.run_after_preposition(i + 1);
        }
        if self.stop_word(i).is_some() {
            return None;
        }
        self.place_before_noun(i)
    }

    /// 在X, and "in X" with X in Chinese.
    fn run_after_preposition(&self, from: usize) -> Option<Where> {
        let run_end = self.han_run(from);
        // What is done there is not part of the name: 在上海旅游, 在上海看的.
        const DEEDS: [&str; 12] =
            ["旅游", "旅行", "游玩", "度假", "出差", "举行", "举办", "附近", "周边", "旁边", "一带", "境内"];
        let limit = run_end.min(from + MAX_CHARACTERS);
        let deed = (from + 1..limit).find_map(|at| Some((at, self.starts_any(at, &DEEDS)?)));
        let (mut end, after) = deed.unwrap_or((limit, limit));
        let verb = end.checked_sub(1).and_then(|last| self.han(last));
        let is_verb = matches!(verb, Some('玩' | '看' | '吃' | '住' | '买' | '过' | '画' | '做'));
        if is_verb && self.han(end) == Some('的') && end > from + 2 {
            end -= 1;
        }
        if end <= from {
            return None;
        }
        let mut found = Where::new(after);
        let text = self.between(from, end);
        if IS_NO_PLACE_HAN.iter().any(|word| text.starts_with(word)) {
            found.labels.push(text.trim_end_matches(['里', '上', '中']).to_owned());
        } else {
            found.places.extend(self.split_and(from, end).into_iter().map(str::to_owned));
        }
        Some(found)
    }

    /// X的风景, 北京照片, 北京夜景: a place without a preposition. The names
    /// that are known, those that end like one, and any before a sight.
    fn place_before_noun(&self, i: usize) -> Option<Where> {
        let run_end = self.han_run(i);
        let run = self.between(i, run_end);
        let known = KNOWN_HAN.iter().find(|name| run.starts_with(**name)).map(|name| name.chars().count());
        let mut found = Where::new(run_end);
        if self.han(run_end) == Some('的') && run_end <= i + MAX_CHARACTERS {
            let parts = self.split_and(i, run_end);
            let is_no_place = IS_NO_PLACE_HAN.iter().any(|word| run.ends_with(word))
                || QUALITIES_HAN.iter().any(|word| run.starts_with(word) || run.ends_with(word));
            let is_long = run_end >= i + 2;
            let ends_like_one = run_end >= i + 3 && PLACE_ENDINGS_HAN.iter().any(|end| run.ends_with(*end))
                || (is_long && run.ends_with(['湖', '山', '岛', '市', '省', '县']));
            let before_sight = is_long && self.starts_any(run_end + 1, SIGHTS_HAN).is_some();
            if known.is_some() || (!is_no_place && (ends_like_one || before_sight)) {
                found.places.extend(parts.into_iter().map(str::to_owned));
                found.end = run_end + 1;
                return Some(found);
            }
            return None;
        }
        let length = known?;
        let rest = i + length;
        if rest == run_end || self.starts_any(rest, SIGHTS_HAN).is_some() {
            found.places.push(self.between(i, rest).to_owned());
            found.end = rest;
            return Some(found);
        }
        // 北京和上海的照片 has its 的 behind both; 北京烤鸭 is a label.
        None
    }

    /// The names that 和 joins; it is part of some words as well.
    pub(super) fn split_and(&self, from: usize, end: usize) -> Vec<&str> {
        const WHOLE: [&str; 14] = [
            "颐和园",
            "呼和浩特",
            "共和",
            "柔和",
            "温和",
            "和平",
            "和服",
            "和谐",
            "和尚",
            "暖和",
            "祥和",
            "饱和",
            "缓和",
            "平和",
        ];
        let mut parts = Vec::new();
        let mut start = from;
        for at in from..end {
            let is_part = || {
                WHOLE.iter().any(|word| {
                    word.chars().position(|c| c == '和').is_some_and(|offset| {
                        at.checked_sub(offset).is_some_and(|begin| self.starts(begin, word).is_some())
                    })
                })
            };
            if self.han(at) == Some('和') && at > start && at + 1 < end && !is_part() {
                parts.push(self.between(start, at));
                start = at + 1;
            }
        }
        parts.push(self.between(start, end));
        parts
    }
}
