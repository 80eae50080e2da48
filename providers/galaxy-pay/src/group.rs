//! The shape of `extraData`: objects of optional texts and lists.

/// A JSON object of optional texts and lists. `Debug` names what is set, because much of it is about a person.
macro_rules! group {
    (
        $(#[$doc:meta])* $name:ident {
            $($field:ident = $wire:literal: $what:literal,)*
            $(; $($list:ident: $item:ty = $list_wire:literal: $list_what:literal,)*)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            $(
                #[doc = concat!("`", $wire, "`: ", $what, ".")]
                #[serde(rename = $wire, skip_serializing_if = "Option::is_none")]
                pub $field: Option<String>,
            )*
            $($(
                #[doc = concat!("`", $list_wire, "`: ", $list_what, ".")]
                #[serde(rename = $list_wire, skip_serializing_if = "Vec::is_empty")]
                pub $list: Vec<$item>,
            )*)?
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut shown = f.debug_set();
                $(if self.$field.is_some() { shown.entry(&$wire); })*
                $($(if !self.$list.is_empty() { shown.entry(&($list_wire, self.$list.len())); })*)?
                shown.finish()
            }
        }
    };
}
pub(crate) use group;
