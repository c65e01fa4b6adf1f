//! Worlds that are made up by rule.

use super::World;

impl World {
    /// Returns the demo world.
    ///
    /// # Panics
    /// Never: a test reads the demo world.
    pub fn demo() -> Self {
        const DEMO: &str = include_str!("../../../fixtures/worlds/demo.json");
        Self::from_json(DEMO).expect("the demo world is valid")
    }
}
