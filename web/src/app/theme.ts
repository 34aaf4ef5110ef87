import { createTheme, Modal, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

const brand: MantineColorsTuple = [
  '#eef0fd',
  '#dbdff9',
  '#b5bdf1',
  '#8d99e9',
  '#6b7ae1',
  '#5667da',
  '#4c5fd5',
  '#3d4ebd',
  '#3445a8',
  '#283794',
]

/** From text to page: cool greys, where Mantine's own are neutral. */
const dark: MantineColorsTuple = [
  '#e6e8ec',
  '#c3c8d1',
  '#a3abb8',
  '#6f7887',
  '#3a404b',
  '#2b2f38',
  '#23272f',
  '#1b1e24',
  '#16181d',
  '#121418',
]

export const theme = createTheme({
  colors: { brand, dark },
  primaryColor: 'brand',
  primaryShade: { light: 6, dark: 5 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono", monospace',
  components: {
    Modal: Modal.extend({ styles: { title: { fontWeight: 600 } } }),
  },
  headings: { fontWeight: '650', sizes: { h1: { fontSize: '1.4rem', lineHeight: '1.3' }, h2: { fontSize: '1rem' } } },
})

/** Mantine sets these for each scheme, so they are replaced in each. */
const OWN_COLORS = {
  '--mantine-color-body': 'var(--panel)',
  '--mantine-color-text': 'var(--ink)',
  '--mantine-color-dimmed': 'var(--ink-soft)',
  '--mantine-color-anchor': 'var(--link)',
  '--mantine-color-default-border': 'var(--line)',
}

/** The colours of theme.css for Mantine's own parts, and calm grounds for its light badges, notices and buttons. */
export const resolveVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...OWN_COLORS,
    ...tint('brand', '#e9ecfc', '#dde1fa', '#3445a8'),
    ...tint('blue', '#e4f1fd', '#d6e9fb', '#1562a8'),
    ...tint('teal', '#ddf5ec', '#cdefe2', '#06674a'),
    ...tint('red', '#fdecec', '#fbdfdf', '#b42323'),
    ...tint('orange', '#fdf0e1', '#fbe6cf', '#944d00'),
    ...tint('yellow', '#fdf5dc', '#fbeec6', '#7a5600'),
    ...tint('gray', '#eef0f3', '#e3e6eb', '#444c58'),
  },
  dark: {
    ...OWN_COLORS,
    ...tint('brand', '#262b4a', '#2e345a', '#b5bdf1'),
    ...tint('blue', '#1c2f42', '#223a52', '#9cccf5'),
    ...tint('teal', '#15352c', '#1a4236', '#7fe0bd'),
    ...tint('red', '#3a2023', '#48272b', '#ffb3b3'),
    ...tint('orange', '#3b2a18', '#49341d', '#ffc998'),
    ...tint('yellow', '#38301a', '#463c20', '#f3d98b'),
    ...tint('gray', '#2a2e36', '#333842', '#c3c8d1'),
  },
})

function tint(name: string, ground: string, hovered: string, text: string): Record<string, string> {
  return {
    [`--mantine-color-${name}-light`]: ground,
    [`--mantine-color-${name}-light-hover`]: hovered,
    [`--mantine-color-${name}-light-color`]: text,
  }
}
